// cupg verify: a run is trained again from its receipt.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/cli/child_process.hpp"
#include "tests/support/parse.hpp"

namespace cupg::test {
namespace {

namespace fs = std::filesystem;

class Verify : public testing::Test {
 protected:
  ProcessResult cupg(std::vector<std::string> words) const { return run_cupg(words, {.folder = folder_.path()}); }
  void train(std::vector<std::string> words, int status = 0) const {
    words.insert(words.begin(), {"train", "--run", "r", "--quiet"});
    const ProcessResult result = cupg(words);
    EXPECT_EQ(result.status, status) << result.err;
  }
  void replace(const std::string& file, const std::string& before, const std::string& after) const {
    std::string text = folder_.read(file);
    const std::size_t at = text.find(before);
    ASSERT_NE(at, std::string::npos) << file << " has no " << before;
    folder_.write(file, text.replace(at, before.size(), after));
  }
  void expect_refused(const std::string& message) const {
    const ProcessResult result = cupg({"verify", "r"});
    EXPECT_EQ(result.status, 2);
    EXPECT_EQ(result.out, "");
    EXPECT_TRUE(result.err.starts_with("cupg: r/receipt.json: ")) << result.err;
    EXPECT_NE(result.err.find(message), std::string::npos) << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  }

  TemporaryFolder folder_;
};

TEST_F(Verify, ConfirmsWhatWasTrained) {
  const std::vector<std::vector<std::string>> trainings{{"--seeds", "3", "--updates", "20"},
                                                        {"--steps", "30000", "--algo", "ppo"},
                                                        {"--hidden", "24,24", "--steps", "5000"},
                                                        {"--preset", "garza-reinforce", "--updates", "5"},
                                                        {"--algo", "random-search", "--trials", "50"}};
  for (const auto& words : trainings) {
    fs::remove_all(folder_.path() / "r");
    train(words);
    const ProcessResult result = cupg({"verify", "r", "--isa", "scalar", "--threads", "1"});
    EXPECT_EQ(result.status, 0) << words.back() << ": " << result.err << result.out;
    EXPECT_NE(result.out.find("the receipt's parameters, to the"), std::string::npos) << result.out;
    const auto json = cupg_test::parse_json(cupg({"verify", "r", "--json"}).out);
    ASSERT_TRUE(json.is_object());
    EXPECT_EQ(json["same"], json["agents"]);
    EXPECT_TRUE(json["differences"].empty());
  }
}

TEST_F(Verify, ConfirmsDivergedAndResumedRuns) {
  train({"--optimizer", "sgd", "--lr", "1e30", "--steps", "10000"}, 1);
  EXPECT_EQ(cupg({"verify", "r"}).status, 0);
  fs::remove_all(folder_.path() / "r");
  train({"--steps", "3000"});
  EXPECT_EQ(cupg({"resume", "r", "--steps", "9000", "--quiet"}).status, 0);
  EXPECT_EQ(cupg({"verify", "r"}).status, 0);
}

TEST_F(Verify, SaysWhatDiffers) {
  train({"--seeds", "2", "--updates", "20"});
  const auto expect = [&](const std::string& text) {
    const ProcessResult result = cupg({"verify", "r"});
    EXPECT_EQ(result.status, 1);
    EXPECT_NE(result.out.find(text), std::string::npos) << result.out;
  };
  const std::string receipt = folder_.read("r/receipt.json");
  replace("r/receipt.json", "\"updates\": 20", "\"updates\": 19");
  expect("seed 1: parameters ");
  folder_.write("r/receipt.json", receipt);
  fs::copy_file(folder_.path() / "r/policy-1.safetensors", folder_.path() / "r/policy-2.safetensors", fs::copy_options::overwrite_existing);
  expect("seed 2: the policy's file is not the one of the receipt");
  replace("r/config.toml", "envs = 32", "envs = 33");
  expect("config.toml is not the one of the receipt");
}

TEST_F(Verify, RefusesWhatIsNoReceipt) {
  train({"--updates", "2"});
  const std::string receipt = folder_.read("r/receipt.json");
  replace("r/receipt.json", "\"seed\": 1", "\"seed\": 7");
  expect_refused("an agent of seed 7; config.toml has the seeds 1 to 1");
  for (const auto& [text, message] :
       std::vector<std::pair<std::string, std::string>>{{"", "it is not JSON"},
                                                        {"[]", "cupg is missing or wrong"},
                                                        {"{\"cupg\": 1}", "cupg is missing or wrong; expected a text"},
                                                        {std::string(1000, '['), "nested too deeply"}}) {
    folder_.write("r/receipt.json", text);
    expect_refused(message);
  }
  folder_.write("r/receipt.json", receipt);
  replace("r/receipt.json", "\"updates\": 2", "\"updates\": -2");
  expect_refused("updates is missing or wrong; expected a whole number");
  fs::remove(folder_.path() / "r/receipt.json");
  expect_refused("No such file");
}

}  // namespace
}  // namespace cupg::test
