// A folder that one process fills: who may have it, what is cleaned, what is never touched. flock() belongs to the open file, so that two
// objects of one process stand for two processes.
#include "src/io/unfinished_folder.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <functional>

#include "cupg/error.hpp"
#include "cupg/run.hpp"
#include "src/io/files.hpp"
#include "tests/cli/child_process.hpp"
#include "tests/support/message_of.hpp"

namespace cupg {
namespace {

using cupg_test::message_of;
namespace fs = std::filesystem;
using Names = std::vector<std::string>;

class UnfinishedFolderTest : public testing::Test {
 protected:
  UnfinishedFolderTest() : before_(fs::current_path()) { fs::current_path(folder_.path()); }
  ~UnfinishedFolderTest() override { fs::current_path(before_); }
  Names list() const { return folder_.list(); }

  test::TemporaryFolder folder_;
  fs::path before_;
  UnfinishedFolder run_{"last"};
};

TEST_F(UnfinishedFolderTest, IsMadeAtOnceAndWholeAtTheEnd) {
  EXPECT_EQ(run_.claim("a/b/run/"), "");
  EXPECT_EQ(list(), (Names{"a", "a/b", "a/b/run", "a/b/run/last.part"}));
  run_.write("x", "1");
  run_.write("last", "2");
  EXPECT_EQ(list(), (Names{"a", "a/b", "a/b/run", "a/b/run/last.part", "a/b/run/x.part"}));
  run_.publish();
  EXPECT_EQ(list(), (Names{"a", "a/b", "a/b/run", "a/b/run/last", "a/b/run/x"}));
  EXPECT_EQ(folder_.read("a/b/run/last"), "2");  // and nothing of the probe
  EXPECT_EQ(run_.path(), "a/b/run");
}

TEST_F(UnfinishedFolderTest, GoesWithItsParentsWhereNothingWasWritten) {
  fs::create_directory("empty");
  {
    UnfinishedFolder made("last"), found("last");
    EXPECT_EQ(made.claim("a/b/run"), "");
    EXPECT_EQ(found.claim("empty"), "");
  }
  EXPECT_EQ(list(), (Names{"empty"}));
}

TEST_F(UnfinishedFolderTest, FillsAnEmptyFolderInItsPlace) {  // a mount point, or a folder whose parent is another user's
  fs::create_directory("mount");
  struct stat before, after;
  ASSERT_EQ(::stat("mount", &before), 0);
  EXPECT_EQ(run_.claim("mount"), "");
  run_.write("last", "");
  run_.publish();
  ASSERT_EQ(::stat("mount", &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino);
}

TEST_F(UnfinishedFolderTest, OfALivingProcessIsRefused) {
  EXPECT_EQ(run_.claim("run"), "");
  UnfinishedFolder other("last");
  EXPECT_EQ(other.claim("run"), "is being written by another process");
  EXPECT_EQ(list(), (Names{"run", "run/last.part"}));
  run_.write("last", "mine");
  run_.publish();
  EXPECT_EQ(other.claim("run"), "exists and is not empty");
  EXPECT_EQ(list(), (Names{"run", "run/last"}));
}

TEST_F(UnfinishedFolderTest, OfADeadProcessIsTakenOverAndCleaned) {
  fs::create_directory("run");
  folder_.write("run/last.part", "half");
  folder_.write("run/x.part", "half");
  EXPECT_EQ(run_.claim("run"), "");
  EXPECT_EQ(list(), (Names{"run", "run/last.part"}));
  run_.write("last", "whole");
  run_.publish();
  EXPECT_EQ(folder_.read("run/last"), "whole");
}

TEST_F(UnfinishedFolderTest, WithAFileThatIsWholeIsNeverCleaned) {
  fs::create_directory("run");
  folder_.write("run/last.part", "");
  folder_.write("run/policy", "trained");
  folder_.write("run/x.part", "half");
  const Names before = list();
  EXPECT_EQ(run_.claim("run"), "exists and is not empty");
  EXPECT_EQ(list(), before);
}

TEST_F(UnfinishedFolderTest, MayBeRenamedMeanwhile) {
  EXPECT_EQ(run_.claim("run"), "");
  run_.write("x", "1");
  fs::rename("run", "moved");
  fs::create_directory("run");
  EXPECT_TRUE(run_.is_there());
  run_.write("last", "2");
  run_.publish();
  EXPECT_EQ(list(), (Names{"moved", "moved/last", "moved/x", "run"}));
  EXPECT_EQ(fs::canonical(run_.path()), fs::canonical("moved"));
}

TEST_F(UnfinishedFolderTest, TellsThatItWasRemoved) {
  EXPECT_EQ(run_.claim("run"), "");
  fs::remove_all("run");
  EXPECT_FALSE(run_.is_there());
  UnfinishedFolder another("last");
  EXPECT_EQ(another.claim("run"), "");
  EXPECT_FALSE(run_.is_there()) << "the other one's mark has the name";
}

TEST_F(UnfinishedFolderTest, KeepsWhatCouldBeWritten) {
  {
    UnfinishedFolder run("last");
    EXPECT_EQ(run.claim("run"), "");
    run.write("a", "1");
    fs::create_directory("run/b.part");  // in the way
    run.write("b", "2");
    run.write("last", "3");
    EXPECT_EQ(message_of([&] { run.publish(); }), "run/b: cannot be written: File exists; run keeps a, last.part");
  }
  EXPECT_EQ(list(), (Names{"run", "run/a", "run/b.part", "run/last.part"}));
}

TEST_F(UnfinishedFolderTest, IsRefusedBeforeTheWorkWhereItCannotBe) {
  folder_.write("file", "");
  fs::create_symlink("nothing", "dangling");
  EXPECT_EQ(run_.claim("file"), "is not a folder");
  EXPECT_EQ(run_.claim("dangling"), "is not a folder");
  EXPECT_EQ(message_of([&] { run_.claim("file/run"); }), "file/run: cannot be written: Not a directory");
  EXPECT_EQ(message_of([&] { run_.claim("dangling/run"); }), "dangling/run: cannot be written: No such file or directory");
  EXPECT_TRUE(message_of([&] { run_.claim(std::string(256, 'x')); }).ends_with("cannot be written: File name too long"));
  EXPECT_TRUE(message_of([&] { run_.claim(std::string(5000, '/').append("x")); }).ends_with("cannot be written: File name too long"));
  EXPECT_EQ(list(), (Names{"dangling", "file"}));
}

TEST_F(UnfinishedFolderTest, HasAnyNameThatAFolderMayHave) {
  std::string name;  // 254 bytes
  for (int i = 0; i < 127; ++i) name += "\u00e9";
  EXPECT_EQ(run_.claim(name), "");
  run_.write("last", "");
  run_.publish();
  EXPECT_TRUE(fs::exists(fs::path(name) / "last"));
}

TEST_F(UnfinishedFolderTest, DoesNotGetTheNumberOfAClosedStandardStream) {
  std::fflush(stdout);
  const int out = ::dup(STDOUT_FILENO), err = ::dup(STDERR_FILENO);
  ::close(STDOUT_FILENO);
  ::close(STDERR_FILENO);
  const std::string why = run_.claim("run");
  const ssize_t first = ::write(STDOUT_FILENO, "told", 4), second = ::write(STDERR_FILENO, "told", 4);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(err, STDERR_FILENO);
  ::close(out);
  ::close(err);
  EXPECT_EQ(why, "");
  EXPECT_EQ(first, -1);
  EXPECT_EQ(second, -1) << "into the run's file";
}

using RunFolder = UnfinishedFolderTest;

TrainResult trained() {
  TrainResult result;
  result.agents.resize(1);
  result.agents[0].seed = 1;
  result.agents[0].parameters.assign(static_cast<std::size_t>(parameter_count(Config{}.network())), 0.5f);
  return result;
}

TEST_F(RunFolder, IsUnfinishedUntilItIsWritten) {
  NewRun run("r");
  EXPECT_EQ(list(), (Names{"r", "r/result.json.part"}));
  for (const auto& read : {std::function<void()>([] { Run::config("r"); }), std::function<void()>([] { Run::policy("r"); })})
    EXPECT_TRUE(message_of(read).starts_with("r: the run is not finished: ")) << message_of(read);
  EXPECT_EQ(message_of([] { NewRun("r"); }), "run: r is being written by another process; expected a new or an empty folder");
  EXPECT_EQ(run.write({}, trained(), "{}"), "r");
  EXPECT_EQ(Run::policy("r").parameters, trained().agents[0].parameters);
}

TEST_F(RunFolder, ThatSomebodyRemovedIsMadeAgain) {
  NewRun removed("a/removed"), replaced("replaced");
  fs::remove_all("a");
  fs::remove_all("replaced");
  fs::create_directory("replaced");
  folder_.write("replaced/notes", "mine");
  EXPECT_EQ(removed.write({}, trained(), "{}"), "a/removed");
  EXPECT_EQ(replaced.write({}, trained(), "{}"), "replaced-2");
  EXPECT_EQ(Run::policy("a/removed").parameters, Run::policy("replaced-2").parameters);
  EXPECT_EQ(folder_.read("replaced/notes"), "mine");
}

TEST_F(RunFolder, HasANumberWhereItsNameIsTaken) {
  EXPECT_EQ(Run::write("r/", {}, trained(), "{}"), "r");
  EXPECT_EQ(Run::write("r/", {}, trained(), "{}"), "r-2");
  NewRun first{Config{}}, second{Config{}};
  EXPECT_EQ(first.write({}, trained(), "{}"), "runs/CartPole-v1-a2c-seed1");
  EXPECT_EQ(second.write({}, trained(), "{}"), "runs/CartPole-v1-a2c-seed1-2");
}

TEST_F(RunFolder, ThatIsResumedKeepsItsResultUntilItHasAnother) {
  Config longer;
  longer.steps *= 2;
  TrainResult result = trained();
  result.checkpoint = "a";
  result.agents[0].best_parameters = result.agents[0].parameters;
  Run::write("r", {}, result, "{}");
  const Names before = list();
  EXPECT_TRUE(fs::exists("r/policy-best.safetensors"));
  std::string checkpoint;
  NewRun run = NewRun::existing("r", checkpoint);
  EXPECT_EQ(checkpoint, "a");
  run.write_checkpoint(longer, "b");
  EXPECT_EQ(folder_.read("r/checkpoint.safetensors"), "b");
  EXPECT_EQ(Run::config("r").steps, Config{}.steps) << "as its result has them";
  EXPECT_NO_THROW(Run::policy("r"));
  result.agents[0].best_parameters.clear();
  result.checkpoint = "c";
  EXPECT_EQ(run.write(longer, result, "{}"), "r");
  Names after = before;
  std::erase(after, "r/policy-best.safetensors");  // the last one is the best now
  EXPECT_EQ(list(), after);
  EXPECT_EQ(Run::config("r").steps, longer.steps);
}

TEST_F(RunFolder, CanBeResumedFromItsFirstCheckpointOn) {
  NewRun("r").write_checkpoint({}, "a");
  EXPECT_EQ(list(), (Names{"r", "r/checkpoint.safetensors", "r/config.toml", "r/result.json.part"}));
  std::string checkpoint;
  NewRun::existing("r", checkpoint);
  EXPECT_EQ(checkpoint, "a");
}

TEST(WriteFile, RemovesWhatDeadProcessesLeftAndNothingElse) {
  const test::TemporaryFolder folder;
  for (const char* name : {".cupg-0123456789abcdef.tmp", ".cupg-notes", "other.tmp"}) folder.write(name, "half");
  const Descriptor descriptor = open_folder(folder.path().c_str());
  Descriptor alive;
  ASSERT_EQ(make_locked(descriptor, ".cupg-fedcba9876543210.tmp", alive), 0);
  Descriptor second;
  EXPECT_EQ(make_locked(descriptor, "other.tmp", second), EEXIST);  // that it is not locked matters to take_over() alone
  write_file(folder.path() / "p", "whole");
  EXPECT_EQ(folder.list(), (Names{".cupg-fedcba9876543210.tmp", ".cupg-notes", "other.tmp", "p"}));
  alive = Descriptor();
}

// ---- logs

TEST_F(UnfinishedFolderTest, LogsGrowByWholePiecesAndGoWhereNothingElseIsKept) {
  {
    UnfinishedFolder run("last", {"log", "below"});
    ASSERT_EQ(run.claim("run"), "");
    run.write_now("log", "a\n");
    run.append("log", "b\n");
    run.append("below/x/events", "1");
    run.append("below/x/events", "2");
    EXPECT_EQ(folder_.read("run/log"), "a\nb\n");
    EXPECT_EQ(folder_.read("run/below/x/events"), "12");
  }
  EXPECT_EQ(list(), Names{});
}

TEST_F(UnfinishedFolderTest, LogsOfADeadProcessAreInNobodysWay) {
  fs::create_directories("run/below/x");
  for (const char* name : {"run/log", "run/below/x/events", "run/last.part"}) folder_.write(name, "old");
  UnfinishedFolder run("last", {"log", "below"});
  EXPECT_EQ(run.claim("run"), "");
  EXPECT_EQ(list(), (Names{"run", "run/last.part"}));
  EXPECT_EQ(run_.claim("run"), "is being written by another process");
  fs::create_directory("else");
  folder_.write("else/log", "a file of somebody's");
  UnfinishedFolder other("last", {"log", "below"});
  EXPECT_EQ(other.claim("else"), "exists and is not empty") << "nothing says that a training wrote it";
  EXPECT_EQ(folder_.read("else/log"), "a file of somebody's");
  EXPECT_EQ(run_.claim("else"), "exists and is not empty") << "who does not know of logs";
}

TEST_F(UnfinishedFolderTest, LogsOfAFolderThatWasThereStayWithIt) {
  fs::create_directory("run");
  for (const char* name : {"run/log", "run/last", "run/x"}) folder_.write(name, "old");
  {
    UnfinishedFolder run("last", {"log"});
    ASSERT_EQ(run.reclaim("run"), "");
    run.write_now("log", "new");
  }
  EXPECT_EQ(folder_.read("run/log"), "new");
  EXPECT_EQ(folder_.read("run/last"), "old");
}

TEST_F(UnfinishedFolderTest, ALogThatCannotGrowSaysSo) {
  UnfinishedFolder run("last", {"log"});
  ASSERT_EQ(run.claim("run"), "");
  fs::create_directory("run/log");
  EXPECT_EQ(message_of([&] { run.append("log", "a\n"); }), "run/log: cannot be written: Is a directory");
  fs::remove_all("run");
  EXPECT_TRUE(message_of([&] { run.append("log", "a\n"); }).ends_with("/log: cannot be written: No such file or directory"));
}

}  // namespace
}  // namespace cupg
