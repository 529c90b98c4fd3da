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

constexpr const char* kKind = "cuPG policy";

// ---- the metadata: the network's shape in the words of Config --------------------------------------------------------

std::string widths_text(const Trunk& trunk) { return fmt::format("{}", fmt::join(trunk.width, ",")); }

std::vector<std::pair<std::string, std::string>> metadata_of(const Policy& policy) {
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
  Metadata(const TensorFile::Json& header, const TensorFile& file) : header_(header), file_(file) {}

  const std::string& text(const char* key) const { return file_.metadata(header_, key); }
  bool flag(const char* key) const { return one_of(key, "false", "true"); }
  /// `missing` where files of earlier versions have no such key.
  bool flag(const char* key, bool missing) const { return header_["__metadata__"].contains(key) ? flag(key) : missing; }
  /// True for `second`, false for `first`.
  bool one_of(const char* key, const char* first, const char* second) const {
    const std::string& value = text(key);
    if (value != first && value != second) file_.refuse(fmt::format("{} is {}; expected {} or {}", key, in_quotes(value), first, second));
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
        file_.refuse(
            fmt::format("{} is {}; expected up to {} widths of 1 to {}", key, in_quotes(value), kMaxHiddenLayers, kMaxHiddenWidth));
      trunk.width.push_back(width);
      at = next == end ? end : next + 1;
    }
    return trunk;
  }

 private:
  const TensorFile::Json& header_;
  const TensorFile& file_;
};

/// What the metadata say; the environment must be known, and its sizes the file's.
Policy read_metadata(const TensorFile::Json& header, const TensorFile& file) {
  const Metadata metadata(header, file);
  if (metadata.text("cupg") != "1")
    file.refuse(fmt::format("its metadata are of version {}; expected 1", in_quotes(metadata.text("cupg"))));
  const std::string& name = metadata.text("environment");
  const EnvironmentInfo* environment = nullptr;
  for (const EnvironmentInfo& e : environments())
    if (e.name == name) environment = &e;
  if (environment == nullptr) file.refuse(fmt::format("unknown environment {}", in_quotes(name)));
  const auto expect = [&](const char* key, int value) {
    if (metadata.text(key) != std::to_string(value))
      file.refuse(fmt::format("{} is {}; {} has {}", key, in_quotes(metadata.text(key)), name, value));
  };
  expect("observations", environment->observations);
  expect("actions", environment->actions);

  const Activation activation = metadata.one_of("activation", "relu", "tanh") ? Activation::tanh : Activation::relu;
  const bool bias = metadata.flag("bias"), value_bias = metadata.flag("value_bias", bias), shared = metadata.flag("shared");
  if (shared && value_bias != bias)
    file.refuse(fmt::format("value_bias is \"{}\"; a shared trunk's is its bias, \"{}\"", value_bias, bias));
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

/// [out][in] of a weight, [out] of a bias.
std::vector<std::uint64_t> shape_of(const TensorInfo& tensor) {
  const auto rows = static_cast<std::uint64_t>(tensor.rows), columns = static_cast<std::uint64_t>(tensor.columns);
  return tensor.name.ends_with(".weight") ? std::vector{rows, columns} : std::vector{rows};
}

struct Header {
  Policy policy;                    ///< its parameters still empty
  std::vector<TensorPlace> places;  ///< of the tensors, in layout order
};

/// `bytes` is left at the tensors.
Header decode_header(std::string_view& bytes, const std::string& source) {
  const TensorFile file{source, kKind};
  const TensorFile::Json json = file.header(bytes);
  Header header{read_metadata(json, file), {}};
  for (const TensorInfo& tensor : parameter_layout(header.policy.shape))
    header.places.push_back(file.place(json, tensor.name, "F32", shape_of(tensor)));
  file.check_places(json, header.places);
  return header;
}

}  // namespace

std::string encode_policy(const Policy& policy) {
  std::vector<TensorBytes> tensors;
  const std::string_view parameters(reinterpret_cast<const char*>(policy.parameters.data()), 4 * policy.parameters.size());
  for (const TensorInfo& tensor : parameter_layout(policy.shape))
    tensors.push_back({tensor.name, "F32", shape_of(tensor),
                       parameters.substr(4 * static_cast<std::size_t>(tensor.offset), 4 * static_cast<std::size_t>(tensor.elements()))});
  return encode_tensors(metadata_of(policy), tensors);
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
  const TensorFile file{source, kKind};
  file.check_size(header.places, bytes.size());

  policy.parameters.resize(count);
  const std::vector<TensorInfo> layout = parameter_layout(policy.shape);
  for (std::size_t i = 0; i < layout.size(); ++i)
    std::memcpy(policy.parameters.data() + layout[i].offset, bytes.data() + header.places[i].begin, header.places[i].bytes());
  for (const float p : policy.parameters)
    if (!std::isfinite(p)) file.refuse("a parameter is NaN or infinite");
  return std::move(policy);
}

}  // namespace cupg
