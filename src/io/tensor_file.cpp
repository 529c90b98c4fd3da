#include "src/io/tensor_file.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <set>

#include "cupg/error.hpp"
#include "src/api/text.hpp"

namespace cupg {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors are little-endian");

using Json = TensorFile::Json;
constexpr std::size_t kLengthBytes = 8;
constexpr int kMostDepth = 3;            // header, tensor or __metadata__, shape or data_offsets
constexpr std::size_t kMostKeys = 4096;  // in all; the deepest network of ours has 132 tensors with 3 keys each

/// The array's numbers; nothing where it is no array of whole numbers from 0 on.
std::optional<std::vector<std::uint64_t>> whole_numbers(const Json& json) {
  if (!json.is_array() || !std::all_of(json.begin(), json.end(), [](const Json& x) { return x.is_number_unsigned(); })) return std::nullopt;
  return json.get<std::vector<std::uint64_t>>();
}

}  // namespace

std::uint64_t element_bytes(std::string_view dtype) { return dtype == "U8" ? 1 : dtype.ends_with("32") ? 4 : 8; }

std::string encode_tensors(const std::vector<std::pair<std::string, std::string>>& metadata, const std::vector<TensorBytes>& tensors) {
  // in pieces: where there is no memory, a JSON object can be neither grown nor destroyed (nlohmann-json 3.11 terminates)
  const auto quoted = [](const std::string& words) { return nlohmann::json(words).dump(); };
  std::vector<std::string> members, pairs;
  for (const auto& [key, words] : metadata) pairs.push_back(quoted(key) + ":" + quoted(words));
  if (!pairs.empty()) members.push_back(fmt::format("\"__metadata__\":{{{}}}", fmt::join(pairs, ",")));
  std::uint64_t end = 0;
  for (const TensorBytes& t : tensors) {
    members.push_back(fmt::format("{}:{{\"dtype\":{},\"shape\":[{}],\"data_offsets\":[{},{}]}}", quoted(t.name), quoted(t.dtype),
                                  fmt::join(t.shape, ","), end, end + t.bytes.size()));
    end += t.bytes.size();
  }
  std::string text = fmt::format("{{{}}}", fmt::join(members, ","));
  while (text.size() % 8 != 0) text += ' ';  // keeps the tensors aligned

  const std::uint64_t length = text.size();
  std::string bytes(kLengthBytes, '\0');
  bytes.reserve(kLengthBytes + length + end);
  std::memcpy(bytes.data(), &length, kLengthBytes);
  bytes += text;
  for (const TensorBytes& t : tensors) bytes += t.bytes;
  return bytes;
}

void TensorFile::refuse(const std::string& why) const {
  throw Error(ErrorKind::usage, fmt::format("{}: not a {}: {}", source_, kind_, why));
}

Json TensorFile::header(std::string_view& bytes) const {
  if (bytes.empty()) refuse("it is empty");
  if (bytes.size() < kLengthBytes) refuse(fmt::format("it has {} bytes; expected a safetensors file", bytes.size()));
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  bytes.remove_prefix(kLengthBytes);
  if (length > kMostHeaderBytes) refuse(fmt::format("its header claims {} bytes; expected at most {}", length, kMostHeaderBytes));
  if (length > bytes.size()) refuse(fmt::format("its header claims {} bytes and {} are there: truncated?", length, bytes.size()));

  std::vector<std::set<std::string>> keys;  // of the objects that are open
  std::size_t count = 0;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start) {
      if (depth >= kMostDepth) refuse("its header is nested too deeply");
      keys.resize(static_cast<std::size_t>(depth) + 1);
      keys.back().clear();
    }
    if (event != Json::parse_event_t::key) return true;
    if (++count > kMostKeys) refuse(fmt::format("its header has more than {} keys", kMostKeys));
    // a key's depth counts the object that it is in
    if (!keys[static_cast<std::size_t>(depth) - 1].insert(parsed.get<std::string>()).second)
      refuse(fmt::format("its header has {} twice", in_quotes(parsed.get<std::string>())));
    return true;
  };
  Json json;
  try {
    json = Json::parse(bytes.substr(0, length), watch);
  } catch (const Json::exception&) {
    refuse("its header is not JSON");
  }
  if (!json.is_object()) refuse("its header is not a JSON object");
  bytes.remove_prefix(length);
  if (const auto at = json.find("__metadata__"); at == json.end() || !at->is_object()) refuse("it has no __metadata__");
  return json;
}

const std::string& TensorFile::metadata(const Json& header, const char* key) const {
  const Json& all = header["__metadata__"];
  const auto at = all.find(key);
  if (at == all.end() || !at->is_string()) refuse(fmt::format("its metadata have no text \"{}\"", key));
  return at->get_ref<const std::string&>();
}

TensorPlace TensorFile::place(const Json& header, const std::string& name, const char* dtype,
                              const std::vector<std::uint64_t>& shape) const {
  const auto at = header.find(name);
  if (at == header.end()) refuse(fmt::format("tensor {} is missing", name));
  const auto field = [&](const char* key) -> const Json& {
    if (!at->is_object() || !at->contains(key)) refuse(fmt::format("tensor {} has no {}", name, key));
    return at->at(key);
  };
  if (field("dtype") != Json(dtype)) refuse(fmt::format("tensor {} has an unexpected dtype; expected {}", name, dtype));
  if (whole_numbers(field("shape")) != shape)
    refuse(fmt::format("tensor {} has an unexpected shape; expected [{}]", name, fmt::join(shape, ",")));
  std::uint64_t bytes = element_bytes(dtype);
  for (const std::uint64_t n : shape) bytes *= n;
  const auto offsets = whole_numbers(field("data_offsets"));
  if (!offsets || offsets->size() != 2 || offsets->at(1) < offsets->at(0) || offsets->at(1) - offsets->at(0) != bytes)
    refuse(fmt::format("tensor {} has unexpected data_offsets; expected the begin and end of {} bytes", name, bytes));
  return {name, offsets->at(0), offsets->at(1)};
}

void TensorFile::check_places(const Json& header, const std::vector<TensorPlace>& places) const {
  if (header.size() != places.size() + 1) refuse(fmt::format("its header has {} entries; expected {}", header.size(), places.size() + 1));
  std::vector<TensorPlace> sorted = places;
  std::sort(sorted.begin(), sorted.end(), [](const TensorPlace& a, const TensorPlace& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;  // empty ones before what begins there
  });
  std::uint64_t end = 0;
  for (const TensorPlace& p : sorted) {
    if (p.begin != end)
      refuse(
          fmt::format("the data_offsets of tensor {} begin at {}; expected {}, where the one before it ends: tensors leave no "
                      "holes and share no bytes",
                      p.name, p.begin, end));
    end = p.end;
  }
}

void TensorFile::check_size(const std::vector<TensorPlace>& places, std::size_t bytes) const {
  std::uint64_t end = 0;
  for (const TensorPlace& p : places) end = std::max(end, p.end);
  if (bytes != end) refuse(fmt::format("its tensors have {} bytes; expected {}", bytes, end));
}

}  // namespace cupg
