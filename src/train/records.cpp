#include "src/train/records.hpp"

#include <algorithm>
#include <new>
#include <system_error>

#include "src/io/checkpoint.hpp"

namespace cupg {
bool goes_on(const AgentRecord& record, const Config& config) {
  if (!record.progress) return !record.result;
  if (!record.result || record.result->outcome == Outcome::interrupted) return true;
  return record.progress->snapshot.taken < config.steps && record.progress->snapshot.updates < config.updates();
}

std::vector<int> Records::to_train(const Config& config, const std::map<int, AgentRecord>& begun) {
  std::vector<int> numbers;
  for (int number = 0; number < config.seeds; ++number) {
    const auto at = begun.find(number);
    if (at == begun.end() || goes_on(at->second, config)) numbers.push_back(number);
  }
  return numbers;
}

Records::Records(const Config& config, std::map<int, AgentRecord> begun, double seconds, std::optional<std::vector<int>> numbers)
    : config_(config), seconds_before_(seconds), records_(std::move(begun)) {
  numbers_ = numbers ? std::move(*numbers) : to_train(config_, records_);
  for (const auto& [number, record] : records_) {
    if (goes_on(record, config)) {
      if (record.progress) before_.steps += record.progress->snapshot.taken;
    } else {
      before_.ended += 1;
      const AgentResult& result = *record.result;
      before_.solved += result.solved_env_steps > 0;
      before_.steps += result.env_steps;
      before_.steps_left += config.steps - std::min(config.steps, result.env_steps);
    }
  }
}

Records::~Records() {
  if (writer_.joinable()) writer_.join();
}

int Records::take() {
  const std::size_t place = next_++;
  return place < numbers_.size() ? numbers_[place] : -1;
}

const AgentProgress* Records::begun(int number) {
  const std::lock_guard lock(mutex_);
  const auto at = records_.find(number);
  return at != records_.end() && at->second.progress ? &*at->second.progress : nullptr;
}

void Records::end(int number, AgentRecord record) {
  if (record.result->outcome == Outcome::interrupted && record.result->updates == 0) return;
  const std::lock_guard lock(mutex_);
  records_[number] = std::move(record);
}

void Records::add(int number, AgentRecord record) {
  const std::lock_guard lock(mutex_);
  records_[number] = std::move(record);
}

void Records::write_every(double seconds, int workers, std::function<void(const std::string&)> write) {
  write_ = std::move(write);
  every_ = std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(seconds));
  due_ = Clock::now() + every_;
  told_.assign(static_cast<std::size_t>(workers), 0);
}

bool Records::wants(int worker) {
  if (!write_) return false;
  if (Clock::now() >= due_.load()) {
    const std::lock_guard lock(mutex_);
    if (due_.load() != Clock::time_point::max() && !writing_) {
      due_ = Clock::time_point::max();  // until this round is over
      waiting_ = static_cast<int>(std::count_if(told_.begin(), told_.end(), [](int round) { return round >= 0; }));
      ++round_;
    }
  }
  return told_[static_cast<std::size_t>(worker)] != round_;
}

void Records::keep(int worker, std::vector<std::pair<int, AgentProgress>>&& agents) {
  const std::lock_guard lock(mutex_);
  for (auto& [number, progress] : agents) records_[number] = {std::move(progress), {}};
  const int round = round_;
  told_[static_cast<std::size_t>(worker)] = round;
  told();
}

void Records::leave(int worker) {
  if (!write_) return;
  const std::lock_guard lock(mutex_);
  const bool missing = told_[static_cast<std::size_t>(worker)] != round_;
  told_[static_cast<std::size_t>(worker)] = -1;
  if (missing) told();
}

/// One worker fewer is waited for.
void Records::told() {
  if (--waiting_ > 0) return;
  due_ = Clock::now() + every_;
  write();
}

void Records::write() {
  if (writer_.joinable()) writer_.join();  // it has said that it is done
  const auto work = [this](auto encode) {
    try {
      write_(encode());
    } catch (const std::bad_alloc&) {  // the training may do without this one
    } catch (...) {
      failure_ = std::current_exception();
    }
    writing_ = false;
  };
  writing_ = true;
  try {
    writer_ = std::thread([this, work] { work([this] { return checkpoint(); }); });  // which waits for the lock
  } catch (const std::system_error&) {                                               // no thread is to be had
    work([this] { return encode_checkpoint(config_, seconds(), records_); });
  }
}

void Records::finish_writing() {
  if (writer_.joinable()) writer_.join();
  write_ = nullptr;
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

std::string Records::checkpoint() {
  const std::lock_guard lock(mutex_);
  return encode_checkpoint(config_, seconds(), records_);
}

std::vector<AgentResult> Records::take_results() {
  std::vector<AgentResult> results;
  for (auto& [number, record] : records_)
    if (record.result) results.push_back(std::move(*record.result));
  records_.clear();
  return results;
}

double Records::seconds() const { return seconds_before_ + std::chrono::duration<double>(Clock::now() - start_).count(); }

}  // namespace cupg
