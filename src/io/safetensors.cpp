#include "src/io/safetensors.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "cupg/config.hpp"
#include "cupg/environment.hpp"
#include "cupg/error.hpp"
#include "src/text.hpp"

namespace cupg {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors are little-endian");

using Json = nlohmann::ordered_json;
constexpr std::size_t kLengthBytes = 8;
constexpr int kMostDepth = 3;  // header, tensor or __metadata__, shape or data_offsets

[[noreturn]] void refuse(const std::string& source, const std::string& why) {
  throw Error(ErrorKind::usage, fmt::format("{}: not a cuPG policy: {}", source, why));
}

// ---- the metadata: the network's shape in the words of Config --------------------------------------------------------

std::string widths_text(const Trunk& trunk) { return fmt::format("{}", fmt::join(trunk.width, ",")); }

Json metadata_of(const Policy& policy) {
  const NetworkShape& s = policy.shape;
  return {{"format", "pt"},
          {"cupg", "1"},
          {"environment", policy.environment},
          {"observations", fmt::format("{}", s.observations)},
          {"actions", fmt::format("{}", s.actions)},
          {"shared", s.shared ? "true" : "false"},
          {"hidden", widths_text(s.policy)},
          {"value_hidden", widths_text(s.value_trunk())},
          {"activation", s.policy.activation == Activation::tanh ? "tanh" : "relu"},
          {"bias", s.policy.bias ? "true" : "false"},
          {"value_bias", s.value_trunk().bias ? "true" : "false"}};
}

class Metadata {
 public:
  Metadata(const Json& json, const std::string& source) : json_(json), source_(source) {}

  const std::string& text(const char* key) const {
    const auto at = json_.find(key);
    if (at == json_.end() || !at->is_string()) refuse(source_, fmt::format("its metadata have no text \"{}\"", key));
    return at->get_ref<const std::string&>();
  }
  bool flag(const char* key) const { return one_of(key, "false", "true"); }
  /// `missing` where files of earlier versions have no such key.
  bool flag(const char* key, bool missing) const { return json_.contains(key) ? flag(key) : missing; }
  /// True for `second`, false for `first`.
  bool one_of(const char* key, const char* first, const char* second) const {
    const std::string& value = text(key);
    if (value != first && value != second)
      refuse(source_, fmt::format("{} is {}; expected {} or {}", key, in_quotes(value), first, second));
    return value == second;
  }
  Trunk trunk(const char* key, Activation activation, bool bias) const {
    Trunk trunk{.width = {}, .activation = activation, .bias = bias};
    const std::string& value = text(key);
    const char *at = value.data(), *end = at + value.size();
    while (at != end) {
      int width = 0;
      const auto [next, error] = std::from_chars(at, end, width);
      const bool good = error == std::errc() && width >= 1 && width <= kMaxHiddenWidth && trunk.layers() < kMaxHiddenLayers &&
                        (next == end || (*next == ',' && next + 1 != end));
      if (!good)
        refuse(source_,
               fmt::format("{} is {}; expected up to {} widths of 1 to {}", key, in_quotes(value), kMaxHiddenLayers, kMaxHiddenWidth));
      trunk.width.push_back(width);
      at = next == end ? end : next + 1;
    }
    return trunk;
  }

 private:
  const Json& json_;
  const std::string& source_;
};

/// What the metadata say; the environment must be known, and its sizes the file's.
Policy read_metadata(const Json& header, const std::string& source) {
  const auto at = header.find("__metadata__");
  if (at == header.end() || !at->is_object()) refuse(source, "it has no __metadata__");
  const Metadata metadata(*at, source);
  if (metadata.text("cupg") != "1")
    refuse(source, fmt::format("its metadata are of version {}; expected 1", in_quotes(metadata.text("cupg"))));
  const std::string& name = metadata.text("environment");
  const EnvironmentInfo* environment = nullptr;
  for (const EnvironmentInfo& e : environments())
    if (e.name == name) environment = &e;
  if (environment == nullptr) refuse(source, fmt::format("unknown environment {}", in_quotes(name)));
  const auto expect = [&](const char* key, int value) {
    if (metadata.text(key) != std::to_string(value))
      refuse(source, fmt::format("{} is {}; {} has {}", key, in_quotes(metadata.text(key)), name, value));
  };
  expect("observations", environment->observations);
  expect("actions", environment->actions);

  const Activation activation = metadata.one_of("activation", "relu", "tanh") ? Activation::tanh : Activation::relu;
  const bool bias = metadata.flag("bias"), value_bias = metadata.flag("value_bias", bias), shared = metadata.flag("shared");
  if (shared && value_bias != bias)
    refuse(source, fmt::format("value_bias is \"{}\"; a shared trunk's is its bias, \"{}\"", value_bias, bias));
  Policy policy;
  policy.environment = name;
  policy.shape = {.observations = environment->observations,
                  .actions = environment->actions,
                  .shared = shared,
                  .policy = metadata.trunk("hidden", activation, bias),
                  .value = metadata.trunk("value_hidden", activation, value_bias)};
  return policy;
}

// ---- the header ------------------------------------------------------------------------------------------------------

Json parse_header(std::string_view text, const std::string& source) {
  std::vector<std::set<std::string>> keys;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start) {
      if (depth >= kMostDepth) refuse(source, "its header is nested too deeply");
      keys.resize(static_cast<std::size_t>(depth) + 1);
      keys.back().clear();
    }
    // a key's depth counts the object that it is in
    if (event == Json::parse_event_t::key && !keys[static_cast<std::size_t>(depth) - 1].insert(parsed.get<std::string>()).second)
      refuse(source, fmt::format("its header has {} twice", in_quotes(parsed.get<std::string>())));
    return true;
  };
  try {
    return Json::parse(text, watch);
  } catch (const Json::exception&) {
    refuse(source, "its header is not JSON");
  }
}

/// Bytes of the tensor, from the first tensor's start.
Json data_offsets(const TensorInfo& tensor) {
  const std::int64_t begin = 4 * static_cast<std::int64_t>(tensor.offset);
  return Json::array({begin, begin + 4 * static_cast<std::int64_t>(tensor.elements())});
}

/// The header's entry of a tensor says what the layout says.
void check_tensor(const Json& header, const TensorInfo& tensor, const std::string& source) {
  const auto at = header.find(tensor.name);
  if (at == header.end()) refuse(source, fmt::format("tensor {} is missing", tensor.name));
  const auto field_is = [&](const char* key, const Json& expected) {
    const auto field = at->is_object() ? at->find(key) : at->end();
    if (!at->is_object() || field == at->end()) refuse(source, fmt::format("tensor {} has no {}", tensor.name, key));
    if (*field != expected) refuse(source, fmt::format("tensor {} has an unexpected {}; expected {}", tensor.name, key, expected.dump()));
  };
  const bool weight = tensor.name.ends_with(".weight");
  field_is("dtype", "F32");
  field_is("shape", weight ? Json::array({tensor.rows, tensor.columns}) : Json::array({tensor.rows}));
  field_is("data_offsets", data_offsets(tensor));
}

Json tensor_entry(const TensorInfo& tensor) {
  const bool weight = tensor.name.ends_with(".weight");
  return {{"dtype", "F32"},
          {"shape", weight ? Json::array({tensor.rows, tensor.columns}) : Json::array({tensor.rows})},
          {"data_offsets", data_offsets(tensor)}};
}

/// The policy that a header describes, parameters still empty; `bytes` is left at the tensors.
Policy decode_header(std::string_view& bytes, const std::string& source) {
  if (bytes.empty()) refuse(source, "it is empty");
  if (bytes.size() < kLengthBytes) refuse(source, fmt::format("it has {} bytes; expected a safetensors file", bytes.size()));
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  bytes.remove_prefix(kLengthBytes);
  if (length > kMostHeaderBytes) refuse(source, fmt::format("its header claims {} bytes; expected at most {}", length, kMostHeaderBytes));
  if (length > bytes.size()) refuse(source, fmt::format("its header claims {} bytes and {} are there: truncated?", length, bytes.size()));

  const Json header = parse_header(bytes.substr(0, length), source);
  if (!header.is_object()) refuse(source, "its header is not a JSON object");
  bytes.remove_prefix(length);
  Policy policy = read_metadata(header, source);
  const auto layout = parameter_layout(policy.shape);
  for (const TensorInfo& tensor : layout) check_tensor(header, tensor, source);
  if (header.size() != layout.size() + 1)
    refuse(source, fmt::format("its header has {} entries; expected {}", header.size(), layout.size() + 1));
  return policy;
}

}  // namespace

std::string encode_policy(const Policy& policy) {
  Json header;
  header["__metadata__"] = metadata_of(policy);
  for (const TensorInfo& tensor : parameter_layout(policy.shape)) header[tensor.name] = tensor_entry(tensor);
  std::string text = header.dump();
  while (text.size() % 8 != 0) text += ' ';  // keeps the tensors aligned

  const std::uint64_t length = text.size();
  std::string bytes(kLengthBytes, '\0');
  std::memcpy(bytes.data(), &length, kLengthBytes);
  bytes += text;
  bytes.append(reinterpret_cast<const char*>(policy.parameters.data()), 4 * policy.parameters.size());
  return bytes;
}

std::size_t encoded_bytes(std::string_view start, const std::string& source) {
  std::string_view tensors = start;
  const Policy policy = decode_header(tensors, source);
  return start.size() - tensors.size() + 4 * static_cast<std::size_t>(parameter_count(policy.shape));
}

Policy decode_policy(std::string_view bytes, const std::string& source) {
  Policy policy = decode_header(bytes, source);
  const auto count = static_cast<std::size_t>(parameter_count(policy.shape));
  if (bytes.size() != 4 * count) refuse(source, fmt::format("its tensors have {} bytes; expected {}", bytes.size(), 4 * count));

  policy.parameters.resize(count);
  std::memcpy(policy.parameters.data(), bytes.data(), bytes.size());
  for (const float p : policy.parameters)
    if (!std::isfinite(p)) refuse(source, "a parameter is NaN or infinite");
  return policy;
}

}  // namespace cupg
