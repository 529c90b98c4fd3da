// Saving, with every system call failing once, failing from then on, or being the last before SIGKILL. (a) A run is whole or recognizably
// unfinished, (b) what was told is what is there, (c) the next run works and cleans up.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <sstream>

#include "cupg/error.hpp"
#include "cupg/policy.hpp"
#include "cupg/run.hpp"
#include "cupg/trainer.hpp"
#include "tests/cli/child_process.hpp"
#include "tests/faults/traced.hpp"
#include "tests/support/parse.hpp"
#include "tests/support/sanitized.hpp"

namespace cupg::test {
namespace {

namespace fs = std::filesystem;
using Kind = Fault::Kind;

constexpr int kMostCalls = 2000;  // more would be a command that does not end

/// Stands for exec() of the command in `folder`, its outputs going to files there.
std::function<int()> command(const TemporaryFolder& folder, std::vector<std::string> more, const std::string& out = "out") {
  more.insert(more.begin(), "cupg");
  return [&folder, more, out]() mutable {
    std::vector<char*> arguments;
    for (std::string& a : more) arguments.push_back(a.data());
    arguments.push_back(nullptr);
    if (::chdir(folder.path().c_str()) != 0) return 127;
    ::dup2(::open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666), STDOUT_FILENO);
    ::dup2(::open(out == "out" ? "err" : (out + ".err").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666), STDERR_FILENO);
    ::execv(CUPG_BINARY, arguments.data());
    return 127;
  };
}

std::function<int()> train(const TemporaryFolder& folder, std::vector<std::string> more, const std::string& out = "out") {
  more.insert(more.begin(), {"train", "--updates", "2", "--threads", "1"});
  return command(folder, more, out);
}

/// What is in the folder, but for the mark, which need not have anything in it.
std::vector<std::string> files_of(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().filename() != "result.json.part") names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

enum class State { absent, empty, unfinished, whole };

/// What became of a run folder; fails where it is none of these.
State state_of(const TemporaryFolder& folder, const std::string& run) {
  const fs::path path = folder.path() / run;
  if (!fs::exists(path)) return State::absent;
  if (fs::is_empty(path)) return State::empty;
  for (const auto& entry : fs::directory_iterator(path)) {
    const std::string name = entry.path().filename();
    if (name == "policy.safetensors") {
      EXPECT_NO_THROW(load_policy(entry.path()));
    } else if (name == "checkpoint.safetensors") {
      EXPECT_NO_THROW(checkpoint_config(folder.read(run + "/" + name)));
    } else if (name == "config.toml" || name == "metrics.csv" || name == "metrics.jsonl" || name == "receipt.json") {
      EXPECT_TRUE(folder.read(run + "/" + name).ends_with("\n")) << name;
    } else {
      EXPECT_TRUE(name == "result.json" || name.ends_with(".part")) << name;
    }
  }
  if (!fs::exists(path / "result.json")) {
    EXPECT_TRUE(fs::exists(path / "result.json.part"));
    EXPECT_THROW(Run::policy(path), Error);
    return State::unfinished;
  }
  std::vector<std::string> files = files_of(path);
  if (fs::exists(path / "result.json.part"))  // of a run that was being filled again
    std::erase_if(files, [](const std::string& name) { return name.ends_with(".part"); });
  EXPECT_EQ(files, (std::vector<std::string>{"checkpoint.safetensors", "config.toml", "metrics.csv", "metrics.jsonl", "policy.safetensors",
                                             "receipt.json", "result.json"}));
  const auto result = cupg_test::parse_json(folder.read(run + "/result.json"));
  EXPECT_FALSE(result.is_discarded());
  if (result.is_discarded()) return State::whole;
  EXPECT_EQ(parameters_sha256(Run::policy(path).parameters), result["agents"][0]["parameters_sha256"]);
  EXPECT_NO_THROW(Run::config(path));
  return State::whole;
}

/// What the message names, but for the mark, which comes last.
std::vector<std::string> kept_by(const std::string& message) {
  const std::string start = "; a/run keeps ";
  const std::size_t at = message.find(start);
  if (at == std::string::npos || message.ends_with(start + "nothing\n")) return {};
  std::istringstream words(message.substr(at + start.size()));
  std::vector<std::string> names;
  for (std::string word; words >> word && word != "and";)
    if (!word.starts_with("result.json.part")) names.push_back(word.substr(0, word.find(',')));
  std::sort(names.begin(), names.end());
  return names;
}

#define CUPG_NEEDS_TRACING()                                                                                              \
  if (cupg_test::kSanitized) GTEST_SKIP() << "leak checks do not run under ptrace, and the calls are those of any build"; \
  if (!run_traced([] { return 0; }, {})) GTEST_SKIP() << "processes cannot be traced here"

TEST(Faults, ACallThatFailsOnceLeavesAWholeRunOrIsTold) {
  CUPG_NEEDS_TRACING();
  std::set<std::string> told;
  int kept = 0;
  for (const Fault& kind : {Fault{Kind::error, 0, EIO}, {Kind::error, 0, ENOSPC}, {Kind::error, 0, EINTR}, {Kind::short_write}}) {
    for (int n = 1; n < kMostCalls; ++n) {
      const TemporaryFolder folder;
      Fault fault = kind;
      fault.call = n;
      const Traced end = *run_traced(train(folder, {"--run", "a/run", "--json"}), fault);
      if (!end.hit) break;
      SCOPED_TRACE(testing::Message() << "call " << n << ", " << end.call << ": error " << fault.code << ", status " << end.status << ": "
                                      << folder.read("err"));
      const State state = state_of(folder, "a/run");
      const std::string message = folder.read("err");
      if (end.status == 0) {
        EXPECT_EQ(state, State::whole);
        EXPECT_FALSE(cupg_test::parse_json(folder.read("out")).is_discarded());
        continue;
      }
      told.insert(end.call);
      EXPECT_EQ(end.status, 1);
      EXPECT_TRUE(message.starts_with("cupg: ")) << message;
      EXPECT_EQ(std::count(message.begin(), message.end(), '\n'), 1) << message;
      EXPECT_EQ(state == State::whole, message.starts_with("cupg: standard output: ")) << message;
      EXPECT_EQ(kept_by(message), state == State::unfinished ? files_of(folder.path() / "a/run") : std::vector<std::string>());
      kept += state == State::unfinished ? 1 : 0;
      EXPECT_TRUE(state == State::whole || state == State::unfinished || !fs::exists(folder.path() / "a")) << "left behind";
    }
  }
  for (const char* call : {"mkdir", "openat", "write", "close", "syncfs", "renameat"}) EXPECT_TRUE(told.contains(call)) << call;
  EXPECT_GT(kept, 10);
}

TEST(Faults, CallsThatFailFromOneOnLeaveNoHalfRun) {
  CUPG_NEEDS_TRACING();
  for (const int code : {ENOSPC, EIO})
    for (int n = 1; n < kMostCalls; ++n) {
      const TemporaryFolder folder;
      const Traced end = *run_traced(train(folder, {"--run", "a/run"}), {Kind::error, n, code, true});
      if (!end.hit) break;
      SCOPED_TRACE(testing::Message() << "from call " << n << ", " << end.call << ", on: error " << code);
      EXPECT_EQ(end.status, 1);
      state_of(folder, "a/run");
    }
}

TEST(Faults, AKilledRunIsWholeOrUnfinishedAndTheNextOneCleansUp) {
  CUPG_NEEDS_TRACING();
  const std::string run = "runs/CartPole-v1-a2c-seed1";
  int left = 0, cleaned = 0;
  for (int n = 1; n < kMostCalls; ++n) {
    const TemporaryFolder folder;
    const Traced end = *run_traced(train(folder, {"--quiet"}), {Kind::kill, n});
    if (!end.hit) break;
    SCOPED_TRACE(testing::Message() << "killed at call " << n << ", " << end.call);
    EXPECT_EQ(end.status, 128 + SIGKILL);
    const State state = state_of(folder, run);
    const bool has_a_file = fs::exists(folder.path() / run / "policy.safetensors");
    const auto next = run_cupg({"train", "--updates", "2", "--quiet"}, {.folder = folder.path()});
    EXPECT_EQ(next.status, 0) << next.err;
    if (state == State::whole || has_a_file) {  // kept; another name was taken
      EXPECT_EQ(state_of(folder, run + "-2"), State::whole);
      EXPECT_EQ(state_of(folder, run), state);
    } else {
      EXPECT_EQ(state_of(folder, run), State::whole);
      EXPECT_FALSE(fs::exists(folder.path() / (run + "-2")));
      ++cleaned;
    }
    left += state == State::unfinished;
  }
  EXPECT_GT(left, 30);
  EXPECT_GT(cleaned, 30);
}

/// What the run's result says of its only agent.
std::string hash_of(const TemporaryFolder& folder, const std::string& run) {
  const auto result = cupg_test::parse_json(folder.read(run + "/result.json"));
  return result.is_discarded() ? "" : result["agents"][0]["parameters_sha256"].get<std::string>();
}

TEST(Faults, AResumedRunIsTheOldOrTheNewOneAndCanBeResumedAgain) {
  CUPG_NEEDS_TRACING();
  const std::vector<std::string> begin{"train", "--run", "r", "--steps", "2000", "--quiet"},
      longer{"resume", "r", "--steps", "4000", "--quiet"};
  const TemporaryFolder first;
  ASSERT_EQ(run_cupg(begin, {.folder = first.path()}).status, 0);
  const std::string before = hash_of(first, "r");
  fs::copy(first.path() / "r", first.path() / "copy");
  ASSERT_EQ(run_cupg(longer, {.folder = first.path()}).status, 0);
  const std::string after = hash_of(first, "r");
  ASSERT_NE(before, after);
  int old = 0, fresh = 0, unfinished = 0;
  for (const Fault& kind : {Fault{Kind::error, 0, EIO}, {Kind::short_write}, {Kind::kill}})
    for (int n = 1; n < kMostCalls; n += n < 150 ? 10 : 1) {  // the first ones are the loader's
      const TemporaryFolder folder;
      folder.write("err", "");
      fs::copy(first.path() / "copy", folder.path() / "r");
      Fault fault = kind;
      fault.call = n;
      const auto resume = [&] {
        ::mkdir(".", 0777);  // from here on calls are counted
        return command(folder, longer)();
      };
      const Traced end = *run_traced(resume, fault);
      if (!end.hit) break;
      SCOPED_TRACE(testing::Message() << "call " << n << ", " << end.call << ": error " << fault.code << ", status " << end.status << ": "
                                      << folder.read("err"));
      const State state = state_of(folder, "r");
      const std::string hash = state == State::whole ? hash_of(folder, "r") : "";
      EXPECT_TRUE(state == State::unfinished || hash == before || hash == after);
      if (end.status == 0) {
        EXPECT_EQ(hash, after);
      }
      old += hash == before, fresh += hash == after, unfinished += state == State::unfinished;
      const auto next = run_cupg(longer, {.folder = folder.path()});
      EXPECT_EQ(next.status, 0) << next.err;
      EXPECT_EQ(state_of(folder, "r"), State::whole);
      EXPECT_EQ(hash_of(folder, "r"), after);
    }
  EXPECT_GT(old, 30);
  EXPECT_GT(fresh, 30);
  EXPECT_GT(unfinished, 0);
}

TEST(Faults, ACheckpointIsTheOldOrTheNewOne) {
  CUPG_NEEDS_TRACING();
  Config c;
  c.steps = 2000;
  const TrainResult old = cupg::train(c);
  c.steps = 4000;
  const std::string fresh = cupg::train(c).checkpoint;
  for (const Fault& kind :
       {Fault{Kind::error, 0, EIO}, {Kind::error, 0, ENOSPC}, {Kind::error, 0, EINTR}, {Kind::short_write}, {Kind::kill}})
    for (int n = 1; n < kMostCalls; ++n) {
      const TemporaryFolder folder;
      Run::write(folder.path() / "r", c, old, "{}");
      Fault fault = kind;
      fault.call = n;
      const auto keep = [&] {
        ::mkdir(".", 0777);  // from here on calls are counted
        try {
          std::string bytes;
          NewRun::existing(folder.path() / "r", bytes).write_checkpoint(c, fresh);
          return 0;
        } catch (const Error&) {
          return 1;
        }
      };
      const Traced end = *run_traced(keep, fault);
      if (!end.hit) break;
      SCOPED_TRACE(testing::Message() << "call " << n << ", " << end.call << ": error " << fault.code << ", status " << end.status);
      const std::string bytes = folder.read("r/checkpoint.safetensors");
      EXPECT_TRUE(end.status == 0 ? bytes == fresh : end.status == 1 ? bytes == old.checkpoint : bytes == fresh || bytes == old.checkpoint);
      std::string again;
      EXPECT_NO_THROW(NewRun::existing(folder.path() / "r", again));
      EXPECT_EQ(again, bytes);
    }
}

/// Starts the command and kills it after so many microseconds, unless it has ended by itself: its exit status, or -1.
int run_until(const std::function<int()>& child, int microseconds) {
  const pid_t process = ::fork();
  if (process == 0) ::_exit(child());
  int status = 0;
  for (int slept = 0; slept < microseconds; slept += 500) {
    if (::waitpid(process, &status, WNOHANG) == process) return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    ::usleep(500);
  }
  ::kill(process, SIGKILL);
  ::waitpid(process, &status, 0);
  return -1;
}

TEST(Kills, AtAnyInstantARunGoesOnToTheSameEnd) {
  if (cupg_test::kSanitized) GTEST_SKIP() << "a sanitizer's start takes longer than the instants at which the kills come";
  constexpr int kKills = 100;
  const std::vector<std::string> settings{"--seeds", "3", "--steps", "4e7", "--no-stop-when-solved", "--quiet"};
  const TemporaryFolder whole, folder;
  std::vector<std::string> words{"train", "--run", "r"};
  words.insert(words.end(), settings.begin(), settings.end());
  ASSERT_EQ(run_cupg(words, {.folder = whole.path()}).status, 0);
  words.insert(words.end(), {"--checkpoint-seconds", "0"});
  std::mt19937 random(7);
  int killed = 0, resumed = 0, status = -1;
  while (status < 0) {
    const bool kept = fs::exists(folder.path() / "r/checkpoint.safetensors");
    const auto next = kept ? command(folder, {"resume", "r", "--checkpoint-seconds", "0", "--quiet"}) : command(folder, words);
    status = run_until(next, killed < kKills ? 2000 + static_cast<int>(random() % 20000) : 120'000'000);
    if (status < 0) ++killed, resumed += kept;
  }
  ASSERT_EQ(status, 0) << folder.read("err");
  EXPECT_GE(resumed, kKills / 4) << "of " << killed << " kills";  // the others came before the first checkpoint, or the run was faster
  const auto want = cupg_test::parse_json(whole.read("r/result.json")), got = cupg_test::parse_json(folder.read("r/result.json"));
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(want["agents"][i]["parameters_sha256"], got["agents"][i]["parameters_sha256"]) << "after " << killed << " kills";
    EXPECT_EQ(want["agents"][i]["best_return"], got["agents"][i]["best_return"]);
  }
  RecordProperty("kills", killed);
}

TEST(Faults, APolicyIsTheOldOrTheNewOneAndTheNextSaveCleansUp) {
  CUPG_NEEDS_TRACING();
  Policy old{"CartPole-v1", Config{}.network(), {}};
  old.parameters.assign(static_cast<std::size_t>(parameter_count(old.shape)), 1.0f);
  Policy fresh = old;
  fresh.parameters[0] = 2.0f;
  for (const Fault& kind :
       {Fault{Kind::error, 0, EIO}, {Kind::error, 0, ENOSPC}, {Kind::error, 0, EINTR}, {Kind::short_write}, {Kind::kill}})
    for (int n = 1; n < kMostCalls; ++n) {
      const TemporaryFolder folder;
      const fs::path path = folder.path() / "p";
      save_policy(old, path);
      Fault fault = kind;
      fault.call = n;
      const auto save = [&] {
        ::mkdir(".", 0777);  // from here on calls are counted
        try {
          save_policy(fresh, path);
          return 0;
        } catch (const Error&) {
          return 1;
        }
      };
      const Traced end = *run_traced(save, fault);
      if (!end.hit) break;
      SCOPED_TRACE(testing::Message() << "call " << n << ", " << end.call << ": error " << fault.code << ", status " << end.status);
      const float first = load_policy(path).parameters[0];
      EXPECT_TRUE(end.status == 0 ? first == 2 : end.status == 1 ? first == 1 : first == 1 || first == 2) << first;
      EXPECT_TRUE(kind.kind == Kind::kill || folder.list().size() == 1) << "left behind";
      save_policy(fresh, path);
      EXPECT_EQ(folder.list(), std::vector<std::string>{"p"});
    }
}

/// Starts `child` as number 1 of a process namespace of its own, as a container does, where that is allowed.
pid_t start_contained(const std::function<int()>& child, int starting_gun) {
  const pid_t outer = ::fork();
  if (outer != 0) return outer;
  if (::unshare(CLONE_NEWPID) != 0) ::unshare(CLONE_NEWUSER | CLONE_NEWPID);
  char byte;
  while (::read(starting_gun, &byte, 1) < 0) {
  }
  const pid_t inner = ::fork();
  if (inner == 0) ::_exit(child());
  int status = 0;
  ::waitpid(inner, &status, 0);
  ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

/// The exit statuses of both, which start together.
std::vector<int> run_two(const std::function<int()>& first, const std::function<int()>& second) {
  std::array<int, 2> pipe{};
  EXPECT_EQ(::pipe2(pipe.data(), O_CLOEXEC), 0);
  const std::array<pid_t, 2> processes{start_contained(first, pipe[0]), start_contained(second, pipe[0])};
  EXPECT_EQ(::write(pipe[1], "go", 2), 2);
  std::vector<int> statuses;
  for (const pid_t process : processes) {
    int status = 0;
    ::waitpid(process, &status, 0);
    statuses.push_back(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  }
  ::close(pipe[0]);
  ::close(pipe[1]);
  std::sort(statuses.begin(), statuses.end());
  return statuses;
}

TEST(Containers, ThatShareAFolderHaveRunsOfTheirOwn) {
  if (cupg_test::kSanitized) GTEST_SKIP() << "leak checks may not work in a namespace of one's own";
  const std::string run = "runs/CartPole-v1-a2c-seed1";
  for (int round = 0; round < 25; ++round) {
    const TemporaryFolder folder;
    EXPECT_EQ(run_two(train(folder, {"--quiet"}, "a"), train(folder, {"--quiet"}, "b")), (std::vector<int>{0, 0}))
        << round << ": " << folder.read("a.err") << folder.read("b.err");
    EXPECT_EQ(state_of(folder, run), State::whole) << round;
    EXPECT_EQ(state_of(folder, run + "-2"), State::whole) << round;
    EXPECT_EQ(folder.list().size(), 4u + 1 + 2 * 8) << round;
  }
}

TEST(Containers, ThatAreGivenOneRunFolderAreRefusedButForOne) {
  if (cupg_test::kSanitized) GTEST_SKIP() << "leak checks may not work in a namespace of one's own";
  for (int round = 0; round < 25; ++round) {
    const TemporaryFolder folder;
    fs::create_directory(folder.path() / "r");
    EXPECT_EQ(run_two(train(folder, {"--run", "r"}, "a"), train(folder, {"--run", "r"}, "b")), (std::vector<int>{0, 2}));
    const std::string message = folder.read("a.err") + folder.read("b.err");
    EXPECT_TRUE(message.starts_with("cupg: run: r is being written by another process") ||
                message.starts_with("cupg: run: r exists and is not"))
        << message;
    EXPECT_EQ(state_of(folder, "r"), State::whole);
  }
}

}  // namespace
}  // namespace cupg::test
