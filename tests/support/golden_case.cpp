#include "tests/support/golden_case.hpp"

#include <algorithm>
#include <map>
#include <stdexcept>

#include "tests/support/golden.hpp"

namespace cupg_test {

std::vector<double> GoldenCase::flat(const nlohmann::json& tensors) const {
  static const std::map<std::string, std::string> names = {
      {"shared.hidden1.weight", "W1"}, {"shared.hidden1.bias", "b1"}, {"shared.hidden2.weight", "W2"}, {"shared.hidden2.bias", "b2"},
      {"policy.head.weight", "Wp"},    {"policy.head.bias", "bp"},    {"value.head.weight", "Wv"},     {"value.head.bias", "bv"}};
  std::vector<double> all(static_cast<std::size_t>(cupg::parameter_count(shape)));
  for (const cupg::TensorInfo& t : cupg::parameter_layout(shape)) {
    const std::vector<double> data = array(tensors.at(names.at(t.name)));
    if (static_cast<int>(data.size()) != t.elements()) throw std::runtime_error(t.name + " has another size in the golden file");
    std::copy(data.begin(), data.end(), all.begin() + t.offset);
  }
  return all;
}

std::vector<GoldenCase> golden_cases() {
  std::vector<GoldenCase> cases;
  const nlohmann::json file = golden_json("gradients_torch.json");
  for (const auto& json : file.at("cases")) {
    GoldenCase c;
    c.name = json.at("name").get<std::string>();
    c.batch = json.at("batch").get<std::size_t>();
    const auto trunk = json.at("trunk").get<std::vector<int>>();  // observations, then hidden layers
    c.shape.observations = trunk[0];
    c.shape.actions = 2;
    c.shape.policy.width.assign(trunk.begin() + 1, trunk.end());
    c.shape.policy.activation = json.at("activation") == "tanh" ? cupg::Activation::tanh : cupg::Activation::relu;
    c.parameters = c.flat(json.at("params"));
    const auto& in = json.at("inputs");
    c.observation = array(in.at("obs"));
    c.action = in.at("actions").at("data").get<std::vector<int>>();
    c.target = array(in.at("returns"));
    c.advantage = array(in.at("advantages"));
    c.old_log_p = array(in.at("old_logp"));
    const auto& out = json.at("forward");
    c.logits = array(out.at("logits"));
    c.value = array(out.at("values"));
    c.log_p = array(out.at("logp"));
    c.entropy = array(out.at("entropy"));
    c.losses = json.at("losses");
    c.adam = json.at("adam");
    c.rmsprop = json.at("rmsprop");
    cases.push_back(std::move(c));
  }
  if (cases.size() != 2) throw std::runtime_error("gradients_torch.json should hold two cases");
  return cases;
}

}  // namespace cupg_test
