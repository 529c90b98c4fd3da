#include "src/io/safetensors.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "cupg/config.hpp"
#include "cupg/environment.hpp"
#include "cupg/error.hpp"
#include "src/api/text.hpp"

namespace cupg {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors are little-endian");

using OrderedJson = nlohmann::ordered_json;  // written in layout order
using Json = nlohmann::json;                 // read: looks up in logarithmic time
constexpr std::size_t kLengthBytes = 8;
constexpr int kMostDepth = 3;            // header, tensor or __metadata__, shape or data_offsets
constexpr std::size_t kMostKeys = 4096;  // in all; the deepest network of ours has 132 tensors with 3 keys each

[[noreturn]] void refuse(const std::string& source, const std::string& why) {
  throw Error(ErrorKind::usage, fmt::format("{}: not a cuPG policy: {}", source, why));
}

// ---- the metadata: the network's shape in the words of Config --------------------------------------------------------

std::string widths_text(const Trunk& trunk) { return fmt::format("{}", fmt::join(trunk.width, ",")); }

OrderedJson metadata_of(const Policy& policy) {
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
  std::vector<std::set<std::string>> keys;  // of the objects that are open
  std::size_t count = 0;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start) {
      if (depth >= kMostDepth) refuse(source, "its header is nested too deeply");
      keys.resize(static_cast<std::size_t>(depth) + 1);
      keys.back().clear();
    }
    if (event != Json::parse_event_t::key) return true;
    if (++count > kMostKeys) refuse(source, fmt::format("its header has more than {} keys", kMostKeys));
    // a key's depth counts the object that it is in
    if (!keys[static_cast<std::size_t>(depth) - 1].insert(parsed.get<std::string>()).second)
      refuse(source, fmt::format("its header has {} twice", in_quotes(parsed.get<std::string>())));
    return true;
  };
  try {
    return Json::parse(text, watch);
  } catch (const Json::exception&) {
    refuse(source, "its header is not JSON");
  }
}

/// [out][in] of a weight, [out] of a bias.
std::vector<std::uint64_t> shape_of(const TensorInfo& tensor) {
  const auto rows = static_cast<std::uint64_t>(tensor.rows), columns = static_cast<std::uint64_t>(tensor.columns);
  return tensor.name.ends_with(".weight") ? std::vector{rows, columns} : std::vector{rows};
}
std::uint64_t bytes_of(const TensorInfo& tensor) { return 4 * static_cast<std::uint64_t>(tensor.elements()); }

/// The array's numbers; nothing where it is no array of whole numbers from 0 on.
std::optional<std::vector<std::uint64_t>> whole_numbers(const Json& json) {
  if (!json.is_array() || !std::all_of(json.begin(), json.end(), [](const Json& x) { return x.is_number_unsigned(); })) return std::nullopt;
  return json.get<std::vector<std::uint64_t>>();
}

/// Where a tensor's bytes are in the file, from the first tensor's start on.
struct Place {
  TensorInfo tensor;
  std::uint64_t begin, end;
};

/// The header's entry of the tensor must say what the layout says; where its bytes are, it says alone.
Place read_entry(const Json& header, const TensorInfo& tensor, const std::string& source) {
  const auto at = header.find(tensor.name);
  if (at == header.end()) refuse(source, fmt::format("tensor {} is missing", tensor.name));
  const auto field = [&](const char* key) -> const Json& {
    if (!at->is_object() || !at->contains(key)) refuse(source, fmt::format("tensor {} has no {}", tensor.name, key));
    return at->at(key);
  };
  if (field("dtype") != Json("F32")) refuse(source, fmt::format("tensor {} has an unexpected dtype; expected F32", tensor.name));
  if (whole_numbers(field("shape")) != shape_of(tensor))
    refuse(source, fmt::format("tensor {} has an unexpected shape; expected [{}]", tensor.name, fmt::join(shape_of(tensor), ",")));
  const auto offsets = whole_numbers(field("data_offsets"));
  if (!offsets || offsets->size() != 2 || offsets->at(1) < offsets->at(0) || offsets->at(1) - offsets->at(0) != bytes_of(tensor))
    refuse(source,
           fmt::format("tensor {} has unexpected data_offsets; expected the begin and end of {} bytes", tensor.name, bytes_of(tensor)));
  return {tensor, offsets->at(0), offsets->at(1)};
}

/// The format allows any order, but no holes and nothing twice.
void check_tiles(std::vector<Place> places, const std::string& source) {
  std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) { return a.begin < b.begin; });
  std::uint64_t end = 0;
  for (const Place& p : places) {
    if (p.begin != end)
      refuse(source, fmt::format("the data_offsets of tensor {} begin at {}; expected {}, where the one before it ends: tensors leave no "
                                 "holes and share no bytes",
                                 p.tensor.name, p.begin, end));
    end = p.end;
  }
}

OrderedJson tensor_entry(const TensorInfo& tensor) {
  const std::uint64_t begin = 4 * static_cast<std::uint64_t>(tensor.offset);
  return {{"dtype", "F32"}, {"shape", shape_of(tensor)}, {"data_offsets", {begin, begin + bytes_of(tensor)}}};
}

struct Header {
  Policy policy;              ///< its parameters still empty
  std::vector<Place> places;  ///< of the tensors, in layout order
};

/// `bytes` is left at the tensors.
Header decode_header(std::string_view& bytes, const std::string& source) {
  if (bytes.empty()) refuse(source, "it is empty");
  if (bytes.size() < kLengthBytes) refuse(source, fmt::format("it has {} bytes; expected a safetensors file", bytes.size()));
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  bytes.remove_prefix(kLengthBytes);
  if (length > kMostHeaderBytes) refuse(source, fmt::format("its header claims {} bytes; expected at most {}", length, kMostHeaderBytes));
  if (length > bytes.size()) refuse(source, fmt::format("its header claims {} bytes and {} are there: truncated?", length, bytes.size()));

  const Json json = parse_header(bytes.substr(0, length), source);
  if (!json.is_object()) refuse(source, "its header is not a JSON object");
  bytes.remove_prefix(length);
  Header header{read_metadata(json, source), {}};
  for (const TensorInfo& tensor : parameter_layout(header.policy.shape)) header.places.push_back(read_entry(json, tensor, source));
  if (json.size() != header.places.size() + 1)
    refuse(source, fmt::format("its header has {} entries; expected {}", json.size(), header.places.size() + 1));
  check_tiles(header.places, source);
  return header;
}

}  // namespace

std::string encode_policy(const Policy& policy) {
  OrderedJson header;
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
  const Policy policy = decode_header(tensors, source).policy;
  return start.size() - tensors.size() + 4 * static_cast<std::size_t>(parameter_count(policy.shape));
}

Policy decode_policy(std::string_view bytes, const std::string& source) {
  Header header = decode_header(bytes, source);
  Policy& policy = header.policy;
  const auto count = static_cast<std::size_t>(parameter_count(policy.shape));
  if (bytes.size() != 4 * count) refuse(source, fmt::format("its tensors have {} bytes; expected {}", bytes.size(), 4 * count));

  policy.parameters.resize(count);
  for (const Place& p : header.places) std::memcpy(policy.parameters.data() + p.tensor.offset, bytes.data() + p.begin, p.end - p.begin);
  for (const float p : policy.parameters)
    if (!std::isfinite(p)) refuse(source, "a parameter is NaN or infinite");
  return std::move(policy);
}

}  // namespace cupg
