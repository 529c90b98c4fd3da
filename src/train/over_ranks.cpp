#include "src/train/over_ranks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstring>
#include <exception>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>
#include <type_traits>
#include <utility>

#include "cupg/error.hpp"
#include "src/api/arithmetic.hpp"
#include "src/io/checkpoint.hpp"
#include "src/io/options.hpp"
#include "src/io/version.hpp"
#include "src/train/split_agent.hpp"
#include "src/train/train_records.hpp"

namespace cupg {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// Kinds of messages.
constexpr int kJob = 0;       ///< to a rank: agents to train
constexpr int kDismiss = 1;   ///< to a rank: there will be no more
constexpr int kProgress = 2;  ///< from a rank: a Progress
constexpr int kPoint = 3;     ///< ... a SeededPoint
constexpr int kEnded = 4;     ///< ... a checkpoint of an agent that has ended
constexpr int kPart = 5;      ///< ... a checkpoint of its agents
constexpr int kDone = 6;      ///< ... the last one: they have ended
constexpr int kFailed = 7;    ///< ... an Error instead
constexpr int kSplit = 8;     ///< to a rank: an agent to do its part of
constexpr int kReady = 9;     ///< from a rank: it follows, with so many threads

/// All ranks run one build: what has no pointers goes as it lies in memory.
template <class T>
std::string_view bytes_of(const T& x) {
  static_assert(std::is_trivially_copyable_v<T>);
  return {reinterpret_cast<const char*>(&x), sizeof x};
}
template <class T>
T from_bytes(std::string_view bytes) {
  static_assert(std::is_trivially_copyable_v<T>);
  T x;
  if (bytes.size() != sizeof x) throw Error(ErrorKind::runtime, "ranks: a message of another version of cupg; expected one build on all");
  std::memcpy(&x, bytes.data(), sizeof x);
  return x;
}

struct SeededPoint {
  std::uint64_t seed;
  CurvePoint point;
};

/// A line of JSON, and bytes.
std::string with_head(const nlohmann::json& head, std::string_view bytes) { return head.dump() + "\n" + std::string(bytes); }
std::pair<nlohmann::json, std::string_view> head_and_bytes(std::string_view message) {
  const std::size_t end = message.find('\n');
  return {nlohmann::json::parse(message.substr(0, end)), message.substr(end + 1)};
}

[[noreturn]] void throw_failure(const Ranks::Message& m) {
  throw Error(static_cast<ErrorKind>(m.bytes.at(0)), fmt::format("rank {}: {}", m.from, m.bytes.substr(1)));
}

/// What rank 0 knows of the others.
class Others {
 public:
  Others(Ranks& ranks, Records& records, const TrainHooks& hooks, std::int64_t limit)
      : ranks_(ranks), records_(records), hooks_(hooks), limit_(limit) {
    progress_.resize(static_cast<std::size_t>(ranks.size()));
    done_.assign(static_cast<std::size_t>(ranks.size()), false);
    done_[0] = true;
  }
  ~Others() { stop_listening(); }
  Others(const Others&) = delete;
  Others& operator=(const Others&) = delete;

  void listen() {
    listener_ = std::thread([this] {
      while (!ends_) {
        try {
          bool any = false;
          while (std::optional<Ranks::Message> m = ranks_.receive([this] { return ends_.load(); })) any = true, take(*m);
          if (!any) std::this_thread::sleep_for(1ms);
        } catch (...) {
          const std::lock_guard lock(mutex_);
          if (!failure_) failure_ = std::current_exception();
          failed_ = true;
        }
      }
    });
  }

  /// This process's hooks, called in turn with what the others tell.
  TrainHooks own_hooks() {
    TrainHooks own = hooks_;
    if (hooks_.progress)
      own.progress = [this](const Progress& p) {
        const std::lock_guard lock(mutex_);
        progress_[0] = p;
        tell();
      };
    if (hooks_.point)
      own.point = [this](std::uint64_t seed, const CurvePoint& point) {
        const std::lock_guard lock(mutex_);
        hooks_.point(seed, point);
      };
    if (hooks_.agent)
      own.agent = [this](int number, const AgentResult& agent) {
        const std::lock_guard lock(mutex_);
        hooks_.agent(number, agent);
      };
    own.stop = [this] { return failed_ || (hooks_.stop && hooks_.stop()); };
    return own;
  }

  /// Waits until all have told the end of their agents; where the training is stopped, for a second more, since a launcher that ends a job
  /// gives its processes no longer.
  void gather() {
    Clock::time_point written = Clock::now(), told_to_stop = Clock::time_point::max();
    while (!all_done() && !failed_) {
      std::this_thread::sleep_for(1ms);
      if (hooks_.stop && hooks_.stop() && told_to_stop == Clock::time_point::max()) told_to_stop = Clock::now();
      if (told_to_stop != Clock::time_point::max() && Clock::now() - told_to_stop > 600ms) break;
      if (hooks_.checkpoint && new_part_ && Clock::now() - written > std::chrono::duration<double>(hooks_.checkpoint_seconds)) {
        new_part_ = false;
        hooks_.checkpoint(records_.checkpoint());
        written = Clock::now();
      }
    }
    stop_listening();
    if (failure_) std::rethrow_exception(failure_);
    ranks_.busy = !all_done();
  }

  int threads() const { return threads_; }

 private:
  void stop_listening() {
    ends_ = true;
    if (listener_.joinable()) listener_.join();
  }
  bool all_done() {
    const std::lock_guard lock(mutex_);
    return std::find(done_.begin(), done_.end(), false) == done_.end();
  }

  void take(const Ranks::Message& m) {
    const std::lock_guard lock(mutex_);
    switch (m.kind) {
      case kProgress:
        progress_[static_cast<std::size_t>(m.from)] = from_bytes<Progress>(m.bytes);
        tell();
        return;
      case kPoint: {
        const auto [seed, point] = from_bytes<SeededPoint>(m.bytes);
        hooks_.point(seed, point);
        return;
      }
      case kEnded:
      case kPart: return add(m.bytes);
      case kDone: {
        const auto [head, bytes] = head_and_bytes(m.bytes);
        threads_ += head.at("threads").get<int>();
        if (!bytes.empty()) add(bytes);
        done_[static_cast<std::size_t>(m.from)] = true;
        // what interrupts one of the ranks interrupts the command
        if (head.at("stopped").get<bool>() && !(hooks_.stop && hooks_.stop())) std::raise(SIGTERM);
        return;
      }
      default: throw_failure(m);
    }
  }

  void add(std::string_view bytes) {
    for (auto& [number, record] : decode_checkpoint(bytes, "ranks").records) {
      const bool ended = record.result && record.result->outcome != Outcome::interrupted;
      if (hooks_.agent && ended && told_.insert(number).second) hooks_.agent(number, *record.result);
      records_.add(number, std::move(record));
    }
    new_part_ = true;
  }

  /// Of all ranks: each counts its own agents, from the same limit down.
  void tell() {
    Progress all = progress_[0];
    if (all.steps_limit == 0 || !hooks_.progress) return;  // it has not begun itself
    for (std::size_t r = 1; r < progress_.size(); ++r) {
      const Progress& p = progress_[r];
      if (p.steps_limit == 0) continue;
      all.env_steps += p.env_steps - p.steps_before;
      all.steps_limit -= limit_ - p.steps_limit;
      all.agents_running += p.agents_running;
      all.agents_done += p.agents_done;
      all.agents_solved += p.agents_solved;
      if (!all.mean_return) all.mean_return = p.mean_return;
    }
    hooks_.progress(all);
  }

  Ranks& ranks_;
  Records& records_;
  const TrainHooks& hooks_;
  const std::int64_t limit_;  ///< environment steps of all agents at most
  std::mutex mutex_;
  std::vector<Progress> progress_;  ///< [ranks] the last that each told
  std::vector<bool> done_;          ///< [ranks]
  std::set<int> told_;              ///< agents whose end hooks know
  int threads_ = 0;
  std::atomic<bool> ends_{false}, failed_{false}, new_part_{false};
  std::exception_ptr failure_;
  std::thread listener_;
};

/// What a rank is told of a run, as its settings' texts.
nlohmann::json head_of(const Config& config) {
  nlohmann::json head = {{"version", version()}};
  for (const std::string_view name : kMachineOptions) head[std::string(name)] = text_value(*find_option(name), config);
  return head;
}
Checkpoint job_of(const nlohmann::json& head, std::string_view bytes) {
  if (const std::string theirs = head.at("version"); theirs != version())
    throw Error(ErrorKind::runtime, fmt::format("version {}; expected that of rank 0, {}", version(), theirs));
  Checkpoint job = decode_checkpoint(bytes, "ranks");
  for (const std::string_view name : kMachineOptions) {
    const Option& option = *find_option(name);
    set_option(job.config, option, parse_value(option, head.at(std::string(name)).get<std::string>()));
  }
  return job;
}

/// Trains a job, and tells rank 0.
void work(Ranks& ranks, std::string_view message, const std::function<bool()>& stop) {
  const auto [head, bytes] = head_and_bytes(message);
  Checkpoint job = job_of(head, bytes);
  const auto tell = [&](int kind, std::string_view told) { ranks.send(0, kind, told); };
  TrainHooks hooks;
  hooks.stop = stop;
  hooks.initial_return = head.at("initial_return").get<bool>();
  if (head.at("progress").get<bool>()) hooks.progress = [&](const Progress& p) { tell(kProgress, bytes_of(p)); };
  if (head.at("points").get<bool>())
    hooks.point = [&](std::uint64_t seed, const CurvePoint& point) { tell(kPoint, bytes_of(SeededPoint{seed, point})); };
  if (head.at("agents").get<bool>())
    hooks.agent = [&](int number, const AgentResult& agent) {
      tell(kEnded, encode_checkpoint(job.config, 0, {{number, AgentRecord{{}, agent}}}));
    };
  if (head.at("checkpoints").get<bool>()) {
    hooks.checkpoint_seconds = head.at("checkpoint_seconds").get<double>();
    hooks.checkpoint = [&](const std::string& part) { tell(kPart, part); };
  }
  Records records(job.config, std::move(job.records), job.seconds, head.at("numbers").get<std::vector<int>>());
  const TrainResult result = train_records(job.config, records, hooks);
  tell(kDone, with_head({{"threads", result.threads}, {"stopped", stop()}}, result.checkpoint));
}

/// Does this rank's part of an agent. following: the others are in step with it, so that nothing may fail any more.
void do_part(Ranks& ranks, std::string_view message, const std::function<bool()>& stop, bool& following) {
  const auto [head, bytes] = head_and_bytes(message);
  const Checkpoint job = job_of(head, bytes);
  const int threads = plan_threads(job.config).total;
  const AgentProgress* const begun =
      job.records.empty() || !job.records.begin()->second.progress ? nullptr : &*job.records.begin()->second.progress;
  follow(ranks, job.config, threads, begun, stop, [&] {
    following = true;
    ranks.send(0, kReady, bytes_of(threads));
  });
}

/// Trains the only agent that is left, with parts of it on all ranks.
TrainResult train_split(Ranks& ranks, const Config& config, int number, std::map<int, AgentRecord> begun, double seconds,
                        const TrainHooks& hooks) {
  Config one = config;
  one.device = Device::cpu;  // as it is here
  ranks.busy = true;
  std::map<int, AgentRecord> its;
  if (const auto at = begun.find(number); at != begun.end()) its.insert(*at);
  for (int r = 1; r < ranks.size(); ++r) ranks.send(r, kSplit, with_head(head_of(one), encode_checkpoint(one, seconds, its)));
  int threads = 0;
  Clock::time_point waited_from = Clock::now();
  for (int ready = 1; ready < ranks.size();) {
    const std::optional<Ranks::Message> m = ranks.receive();
    if (!(hooks.stop && hooks.stop())) waited_from = Clock::now();
    if (Clock::now() - waited_from > 600ms) throw Error(ErrorKind::runtime, "ranks: interrupted before all of them were there");
    if (!m) {
      std::this_thread::sleep_for(1ms);
      continue;
    }
    if (m->kind != kReady) throw_failure(*m);
    threads += from_bytes<int>(m->bytes);
    ++ready;
  }
  Records records(config, std::move(begun), seconds);
  TrainResult result =
      train_records(config, records, hooks, {}, [&](const Config& c, int, int each) { return lead_parts(ranks, c, each); });
  result.threads += threads;
  return result;
}

}  // namespace

TrainResult train_over_ranks(Ranks& ranks, const Config& config, std::map<int, AgentRecord> begun, double seconds,
                             const TrainHooks& hooks) {
  const std::vector<int> to_train = Records::to_train(config, begun);
  if (to_train.size() == 1 && can_split(config, ranks)) return train_split(ranks, config, to_train[0], std::move(begun), seconds, hooks);
  std::vector<std::vector<int>> numbers(static_cast<std::size_t>(ranks.size()));
  std::size_t dealt = 0;
  for (const int number : to_train) numbers[dealt++ % numbers.size()].push_back(number);

  std::vector<int> own = numbers[0];
  for (int r = 1; r < ranks.size(); ++r) {
    const std::vector<int>& its = numbers[static_cast<std::size_t>(r)];
    std::map<int, AgentRecord> its_records;
    for (const int number : its)
      if (const auto at = begun.find(number); at != begun.end()) its_records.insert(*at);
    nlohmann::json head = head_of(config);
    head["initial_return"] = hooks.initial_return;
    head["progress"] = hooks.progress != nullptr;
    head["points"] = hooks.point != nullptr;
    head["agents"] = hooks.agent != nullptr;
    head["checkpoints"] = hooks.checkpoint != nullptr;
    head["checkpoint_seconds"] = hooks.checkpoint_seconds;
    head["numbers"] = its;
    ranks.busy = true;
    ranks.send(r, kJob, with_head(head, encode_checkpoint(config, seconds, its_records)));
  }

  Records records(config, std::move(begun), seconds, std::move(own));
  Others others(ranks, records, hooks, config.steps * config.seeds);
  others.listen();
  TrainResult result = train_records(config, records, others.own_hooks(), [&] { others.gather(); });
  result.threads += others.threads();
  return result;
}

void serve(Ranks& ranks, const std::function<bool()>& stop) {
  const IeeeArithmetic ieee;
  while (!stop()) {
    const std::optional<Ranks::Message> m = ranks.receive();
    if (!m) {
      std::this_thread::sleep_for(1ms);
      continue;
    }
    if (m->kind == kDismiss) return;
    bool following = false;
    try {
      m->kind == kSplit ? do_part(ranks, m->bytes, stop, following) : work(ranks, m->bytes, stop);
    } catch (const Error& e) {
      if (following) throw;
      ranks.send(0, kFailed, static_cast<char>(e.kind()) + std::string(e.what()));
    } catch (const std::exception& e) {
      if (following) throw;
      ranks.send(0, kFailed, static_cast<char>(ErrorKind::runtime) + std::string(e.what()));
    }
  }
}

void dismiss(Ranks& ranks) {
  for (int r = 1; r < ranks.size(); ++r) ranks.send(r, kDismiss, "");
}

}  // namespace cupg
