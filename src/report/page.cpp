#include "src/report/page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "cupg/environment.hpp"
#include "cupg/run.hpp"
#include "src/io/files.hpp"
#include "src/io/receipt.hpp"
#include "src/io/toml_check.hpp"
#include "src/report/bands.hpp"
#include "src/report/js_environment.hpp"
#include "src/report/page_files.hpp"
#include "src/report/run_files.hpp"

namespace cupg {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// Six figures, so that the page stays small; null where there is no number.
Json figure(double x) {
  if (!std::isfinite(x)) return nullptr;
  const std::string text = fmt::format("{:.6g}", x);
  std::from_chars(text.data(), text.data() + text.size(), x);
  return x;
}
Json figures(const std::vector<double>& values) {
  Json json = Json::array();
  for (const double x : values) json.push_back(figure(x));
  return json;
}

Json curves_json(const fs::path& run) {
  const fs::path path = curve_file(run);
  const Bands bands = make_bands(read_curves(path), path.string());
  Json metrics = Json::array();
  for (const Band& band : bands.metrics) {
    Json json = {{"name", band.name}, {"middle", figures(band.middle)}};
    if (!band.low.empty()) json["low"] = figures(band.low), json["high"] = figures(band.high);
    if (!band.lowest.empty()) json["lowest"] = figures(band.lowest), json["highest"] = figures(band.highest);
    for (const auto& line : band.lines) json["lines"].push_back(figures(line));
    metrics.push_back(std::move(json));
  }
  Json steps = Json::array();
  for (const double x : bands.env_steps) steps.push_back(std::round(x));
  return {{"file", path.filename().string()},  {"agents", bands.agents},        {"env_steps", std::move(steps)},
          {"running", figures(bands.running)}, {"metrics", std::move(metrics)}, {"left_out", bands.left_out}};
}

/// What result.json says of the agents: those with the lowest returns, at most a hundred.
Json agents_json(const Json& result) {
  constexpr std::size_t kMost = 100;
  constexpr const char* kKeys[] = {"seed",           "outcome",      "solved_env_steps", "env_steps",
                                   "initial_return", "final_return", "updates",          "parameters_sha256"};
  const auto found = result.find("agents");
  if (found == result.end() || !found->is_array()) return Json::array();
  std::vector<const Json*> agents;
  for (const Json& agent : *found)
    if (agent.is_object()) agents.push_back(&agent);
  const auto reached = [](const Json* agent) {
    const auto at = agent->find("final_return");
    return at != agent->end() && at->is_number() ? at->get<double>() : -std::numeric_limits<double>::infinity();
  };
  std::stable_sort(agents.begin(), agents.end(), [&](const Json* a, const Json* b) { return reached(a) < reached(b); });
  if (agents.size() > kMost) agents.resize(kMost);
  Json json = Json::array();
  for (const Json* agent : agents) {
    Json row = Json::object();
    for (const char* key : kKeys)
      if (agent->contains(key)) row[key] = (*agent)[key];
    json.push_back(std::move(row));
  }
  return json;
}

/// The share of agents that had not solved the task, at few points.
Json survival_json(const Json& result) {
  constexpr std::size_t kMost = 240;
  Json json = Json::array();
  const auto found = result.find("survival");
  if (found == result.end() || !found->is_array()) return json;
  const std::size_t every = found->size() / kMost + 1;
  for (std::size_t i = 0; i < found->size(); i += every) json.push_back((*found)[i]);
  if (!found->empty() && (found->size() - 1) % every != 0) json.push_back(found->back());
  return json;
}

std::string base64(std::span<const float> values) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::vector<unsigned char> bytes;
  for (const float value : values) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, 4);
    for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<unsigned char>(bits >> shift));
  }
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t three = 0;
    for (std::size_t k = 0; k < 3; ++k) three = three << 8 | (i + k < bytes.size() ? bytes[i + k] : 0u);
    for (std::size_t k = 0; k < 4; ++k) text += i + k <= bytes.size() ? kDigits[three >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

struct Shown {
  std::uint64_t seed;
  Policy policy;
};
/// The policy that was asked for, or the first one that is there: who diverged left none.
std::optional<Shown> find_policy(const fs::path& run, const Config& config, const std::uint64_t* wanted) {
  if (wanted != nullptr) return Shown{*wanted, Run::policy(run, wanted)};
  for (int i = 0; i < config.seeds; ++i) {
    const std::uint64_t seed = config.seed + static_cast<std::uint64_t>(i);
    std::error_code failed;
    const fs::path file = run / Run::policy_name(config, seed);
    if (fs::exists(file, failed)) return Shown{seed, load_policy(file)};
  }
  return std::nullopt;
}

Json trunk_json(const Trunk& trunk) { return {{"width", trunk.width}, {"bias", trunk.bias}}; }

Json policy_json(const std::optional<Shown>& shown) {
  if (!shown) return nullptr;
  const auto& [seed, policy] = *shown;
  Json json = {{"seed", seed},
               {"network", describe(policy.shape)},
               {"shared", policy.shape.shared},
               {"policy", trunk_json(policy.shape.policy)},
               {"value", trunk_json(policy.shape.value_trunk())},
               {"count", policy.parameters.size()},
               {"sha256", parameters_sha256(policy.parameters)}};
  if (policy.parameters.size() > static_cast<std::size_t>(kMostPageParameters)) return json;
  for (const TensorInfo& t : parameter_layout(policy.shape))
    json["tensors"].push_back({{"name", t.name}, {"rows", t.rows}, {"columns", t.columns}, {"offset", t.offset}});
  json["parameters"] = base64(policy.parameters);
  return json;
}

/// JSON that may stand in a script element: nothing in it ends one or begins a comment.
std::string embedded(const Json& json) {
  std::string text;
  for (const char c : json.dump(-1, ' ', false, Json::error_handler_t::replace)) {
    if (c == '<') {
      text += "\\u003c";
    } else {
      text += c;
    }
  }
  return text;
}

/// The activation of a policy's trunks: a file has one, that of the trunk which has layers.
Activation activation_of(const NetworkShape& shape) {
  return shape.policy.layers() > 0 ? shape.policy.activation : shape.value_trunk().activation;
}

}  // namespace

std::string report_page(const fs::path& run, const std::uint64_t* seed) {
  std::error_code failed;
  expect_folder(run);
  const Config config = Run::config(run);
  const EnvironmentInfo& environment = find_environment(config.environment);
  Json result = read_object(run / "result.json", kMostResultBytes);
  const std::optional<Shown> shown = find_policy(run, config, seed);
  Json data = {{"folder", run.string()},
               {"environment", environment.name},
               {"algorithm", config.algorithm},
               {"seeds", config.seeds},
               {"curves", curves_json(run)},
               {"agents", agents_json(result)},
               {"survival", config.seeds > 1 ? survival_json(result) : Json::array()},
               {"config", read_file(run / "config.toml", kMostConfigBytes)},
               {"policy", policy_json(shown)}};
  for (const char* large : {"agents", "survival", "config"}) result.erase(large);
  data["result"] = std::move(result);
  data["receipt"] = fs::exists(run / "receipt.json", failed) ? read_object(run / "receipt.json", kMostReceiptBytes) : Json(nullptr);
  if (data["receipt"].is_object()) data["receipt"].erase("agents");  // the table of agents has them

  const Activation activation = shown ? activation_of(shown->policy.shape) : Activation::relu;
  std::string page;
  // names of environments and algorithms are ours: there is nothing to escape in them
  const std::pair<std::string_view, std::string> parts[] = {
      {"TITLE", fmt::format("{}, {}: cuPG", environment.name, config.algorithm)},
      {"STYLE", std::string(page_files::kStyle)},
      {"DATA", embedded(data)},
      {"SCRIPT", fmt::format("{}\n{}\n{}", page_files::kArithmetic, js_environment(environment, activation), page_files::kScript)}};
  for (std::string_view rest = page_files::kHtml; !rest.empty();) {
    const std::size_t at = std::min(rest.find("{{"), rest.size());
    page += rest.substr(0, at);
    rest.remove_prefix(at);
    if (rest.empty()) break;
    const std::size_t end = rest.find("}}");
    for (const auto& [name, text] : parts)
      if (name == rest.substr(2, end - 2)) page += text;
    rest.remove_prefix(end + 2);
  }
  return page;
}

}  // namespace cupg
