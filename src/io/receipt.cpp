#include "src/io/receipt.hpp"

#include <fmt/format.h>

#include <ctime>
#include <iterator>
#include <nlohmann/json.hpp>
#include <span>

#include "cupg/error.hpp"
#include "cupg/policy.hpp"
#include "src/api/text.hpp"
#include "src/io/config_file.hpp"
#include "src/io/sha256.hpp"
#include "src/report/json.hpp"

namespace cupg {
namespace {

using Json = nlohmann::ordered_json;

std::string now() {
  const std::time_t seconds = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc)};
}

class Reader {
 public:
  Reader(const Json& json, const std::string& source) : json_(json), source_(source) {}
  std::string text(const char* key) const {
    const Json& value = at(key);
    if (!value.is_string()) refuse(key, "a text");
    return value.get<std::string>();
  }
  std::int64_t count(const char* key, std::int64_t most) const {
    const Json& value = at(key);
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() > static_cast<std::uint64_t>(most))
      refuse(key, fmt::format("a whole number from 0 to {}", most).c_str());
    return value.get<std::int64_t>();
  }
  const Json& list(const char* key) const {
    const Json& value = at(key);
    if (!value.is_array()) refuse(key, "a list");
    return value;
  }
  [[noreturn]] void refuse(const char* key, const char* expected) const {
    throw Error(ErrorKind::usage, fmt::format("{}: not a receipt: {} is missing or wrong; expected {}", source_, key, expected));
  }

 private:
  const Json& at(const char* key) const {
    if (!json_.is_object() || !json_.contains(key)) refuse(key, "what cupg train writes");
    return json_.at(key);
  }
  const Json& json_;
  const std::string& source_;
};

}  // namespace

std::string text_sha256(std::string_view text) { return sha256(std::as_bytes(std::span(text))); }

Receipt make_receipt(const Origin& origin, const Config& config, const TrainResult& result) {
  Receipt r{origin, result.device, result.isa, result.math, result.threads, now(), text_sha256(write_config(config)), {}};
  for (const AgentResult& a : result.agents)
    r.agents.push_back({a.seed, a.updates, a.env_steps, outcome_name(a.outcome), parameters_sha256(a.parameters)});
  return r;
}

std::string encode_receipt(const Receipt& r) {
  std::string text = "{\n";
  const auto line = [&](const char* key, const Json& value) {
    std::string json = dump_line(value);
    json.pop_back();
    fmt::format_to(std::back_inserter(text), "  \"{}\": {},\n", key, json);
  };
  line("cupg", r.origin.version);
  line("commit", r.origin.commit);
  line("compiler", r.origin.compiler);
  line("flags", r.origin.flags);
  line("processor", r.origin.processor);
  line("command", r.origin.command);
  line("date", r.date);
  line("device", r.device);
  line("isa", r.isa);
  line("math", r.math);
  line("threads", r.threads);
  line("config_sha256", r.config_sha256);
  text += "  \"agents\": [";
  const char* separator = "\n";
  for (const Receipt::Agent& a : r.agents) {
    fmt::format_to(std::back_inserter(text),
                   "{}    {{\"seed\": {}, \"updates\": {}, \"env_steps\": {}, \"outcome\": \"{}\", \"parameters_sha256\": \"{}\"}}",
                   separator, a.seed, a.updates, a.env_steps, a.outcome, a.parameters_sha256);
    separator = ",\n";
  }
  return text + "\n  ]\n}\n";
}

Receipt decode_receipt(std::string_view text, const std::string& source) {
  constexpr int kDeepest = 4;
  Json json;
  try {
    json = Json::parse(text, [&](int depth, Json::parse_event_t, const Json&) {
      if (depth > kDeepest) throw Error(ErrorKind::usage, fmt::format("{}: not a receipt: it is nested too deeply", source));
      return true;
    });
  } catch (const Json::exception&) {
    throw Error(ErrorKind::usage, fmt::format("{}: not a receipt: it is not JSON", source));
  }
  const Reader reader(json, source);
  Receipt r;
  r.origin = {reader.text("cupg"),  reader.text("commit"),    reader.text("compiler"),
              reader.text("flags"), reader.text("processor"), reader.text("command")};
  r.date = reader.text("date");
  r.device = reader.text("device");
  r.isa = reader.text("isa");
  r.math = reader.text("math");
  r.threads = static_cast<int>(reader.count("threads", 1 << 20));
  r.config_sha256 = reader.text("config_sha256");
  constexpr std::int64_t kMost = std::int64_t{1} << 53;
  for (const Json& agent : reader.list("agents")) {
    const Reader a(agent, source);
    r.agents.push_back({static_cast<std::uint64_t>(a.count("seed", std::numeric_limits<std::int64_t>::max())), a.count("updates", kMost),
                        a.count("env_steps", kMost), a.text("outcome"), a.text("parameters_sha256")});
  }
  return r;
}

}  // namespace cupg
