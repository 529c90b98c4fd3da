#include "src/io/checkpoint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <optional>
#include <type_traits>
#include <unordered_map>

#include "cupg/error.hpp"
#include "src/api/text.hpp"
#include "src/engine/hyperparameters.hpp"
#include "src/engine/settings.hpp"
#include "src/io/config_file.hpp"
#include "src/io/options.hpp"
#include "src/io/tensor_file.hpp"

namespace cupg {
namespace {

constexpr const char* kKind = "cuPG checkpoint";
constexpr const char* kVersion = "1";
constexpr std::int64_t kMostCount = std::int64_t{1} << 53, kMostReturns = std::int64_t{1} << 62;  // in units of kReturnUnit
constexpr std::uint64_t kMostSeed = std::numeric_limits<std::int64_t>::max();
constexpr double kMostNumber = 1e18, kMostSeconds = 1e9;

// ---- a number as an element of a tensor --------------------------------------------------------------------------------

// Numbers that no training writes are refused: who goes on from them adds to them, and must not come to the end of their range.

/// Returns and their sums, which alone may be negative.
bool is_return(std::string_view name) { return name.ends_with("return") || name.ends_with("returns"); }
bool is_time(std::string_view name) { return name.ends_with("seconds"); }

template <class T>
struct Element {  // whole numbers
  using Stored = std::conditional_t<std::is_same_v<T, std::uint64_t>, std::uint64_t, std::int64_t>;
  static constexpr const char* kType = std::is_same_v<T, std::uint64_t> ? "U64" : "I64";
  static Stored store(const T& value) { return static_cast<Stored>(value); }
  static bool load(std::string_view name, Stored stored, T& value) {
    value = static_cast<T>(stored);
    if constexpr (std::is_same_v<T, std::uint64_t>) {
      return true;
    } else {
      const bool may_be_negative = is_return(name);
      const std::int64_t most = std::is_same_v<T, std::uint32_t> ? std::int64_t{0xffffffff}
                                : std::is_same_v<T, int>         ? std::int64_t{1} << 30
                                : std::is_enum_v<T>              ? std::int64_t{static_cast<int>(Outcome::interrupted)}
                                : may_be_negative                ? kMostReturns
                                                                 : kMostCount;
      return stored >= (may_be_negative ? -most : 0) && stored <= most;
    }
  }
};
template <>
struct Element<float> {
  using Stored = float;
  static constexpr const char* kType = "F32";
  static float store(float value) { return value; }
  static bool load(std::string_view, float stored, float& value) { return value = stored, true; }
};
template <>
struct Element<double> {
  using Stored = double;
  static constexpr const char* kType = "F64";
  static double store(double value) { return value; }
  static bool load(std::string_view name, double stored, double& value) {
    value = stored;
    return stored >= (is_return(name) ? -kMostNumber : 0) && stored <= (is_time(name) ? kMostSeconds : kMostNumber);
  }
};
template <>
struct Element<std::optional<double>> {  // NaN: none
  using Stored = double;
  static constexpr const char* kType = "F64";
  static double store(const std::optional<double>& value) { return value.value_or(std::numeric_limits<double>::quiet_NaN()); }
  static bool load(std::string_view name, double stored, std::optional<double>& value) {
    return std::isnan(stored) || Element<double>::load(name, stored, value.emplace());
  }
};
template <>
struct Element<std::optional<std::uint64_t>> {  // 2^64 - 1, which no seed is: none
  using Stored = std::uint64_t;
  static constexpr const char* kType = "U64";
  static constexpr Stored kNone = std::numeric_limits<Stored>::max();
  static Stored store(const std::optional<std::uint64_t>& value) { return value.value_or(kNone); }
  static bool load(std::string_view, Stored stored, std::optional<std::uint64_t>& value) {
    if (stored != kNone) value = stored;
    return stored == kNone || stored <= kMostSeed;
  }
};

// ---- a group of records' tensors, written row by row and read likewise ------------------------------------------------------
// Names are literals: a tensor is found by its name's address. `name`s of curves and texts have as many elements as all rows together.

/// f(name, number) for a point's numbers.
template <class Point, class F>
void each_number_of_point(Point& p, F f) {
  f("curve.env_steps", p.env_steps);
  f("curve.seconds", p.seconds);
  f("curve.mean_return", p.mean_return);
  f("curve.episodes", p.episodes);
  f("curve.mean_length", p.mean_length);
  f("curve.policy_loss", p.metrics.policy_loss);
  f("curve.value_loss", p.metrics.value_loss);
  f("curve.entropy", p.metrics.entropy);
  f("curve.approx_kl", p.metrics.approx_kl);
  f("curve.clip_fraction", p.metrics.clip_fraction);
  f("curve.explained_variance", p.metrics.explained_variance);
  f("curve.gradient_norm", p.metrics.gradient_norm);
  f("curve.learning_rate", p.metrics.learning_rate);
}
constexpr const char *kPoints = "curve.points", *kLength = "message.length", *kMessage = "message";

class Writer {
 public:
  explicit Writer(const char* group) : group_(group) {}

  void next() { ++rows_; }
  std::uint64_t rows() const { return rows_; }
  template <class T>
  void number(const char* name, const T& value) {
    const auto stored = Element<T>::store(value);
    tensor(name, Element<T>::kType, {}).append(reinterpret_cast<const char*>(&stored), sizeof stored);
  }
  /// `width` numbers, those that `values` lacks 0.
  template <class T>
  void array(const char* name, std::uint64_t width, const std::vector<T>& values) {
    std::string& bytes = tensor(name, std::is_same_v<T, float> ? "F32" : "U32", width);
    bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
    bytes.append((width - values.size()) * sizeof(T), '\0');
  }
  void curve(const std::vector<CurvePoint>& points, std::size_t) {
    number(kPoints, std::ssize(points));
    for (const CurvePoint& p : points) each_number_of_point(p, [&](const char* name, const auto& x) { number(name, x); });
  }
  void text(const std::string& value) {
    number(kLength, std::ssize(value));
    for (const char c : value) number(kMessage, std::uint32_t{static_cast<unsigned char>(c)});
  }
  void finish(std::vector<TensorBytes>& all) const {
    for (const Tensor& t : tensors_) {
      const std::uint64_t width = t.width.value_or(1), rows = t.bytes.size() / (element_bytes(t.dtype) * std::max<std::uint64_t>(width, 1));
      all.push_back({fmt::format("{}.{}", group_, t.name), t.dtype,
                     t.width ? std::vector{width > 0 ? rows : rows_, width} : std::vector{rows}, t.bytes});
    }
  }

 private:
  struct Tensor {
    const char *name, *dtype;
    std::optional<std::uint64_t> width;
    std::string bytes;
  };
  std::string& tensor(const char* name, const char* dtype, std::optional<std::uint64_t> width) {
    const auto [at, fresh] = places_.try_emplace(name);
    if (fresh) {
      const auto same = std::find_if(tensors_.begin(), tensors_.end(), [&](const Tensor& t) { return std::string_view(t.name) == name; });
      at->second = static_cast<std::size_t>(same - tensors_.begin());
      if (same == tensors_.end()) tensors_.push_back({name, dtype, width, {}});
    }
    return tensors_[at->second].bytes;
  }

  const char* group_;
  std::uint64_t rows_ = 0;
  std::vector<Tensor> tensors_;
  std::unordered_map<const char*, std::size_t> places_;  ///< by the name's address, since there are millions of numbers
};

/// A file, and which of its tensors were asked for.
class File {
 public:
  File(std::string_view bytes, const std::string& source) : file_(source, kKind), tensors_(bytes), header_(file_.header(tensors_)) {}

  [[noreturn]] void refuse(const std::string& why) const { file_.refuse(why); }
  const std::string& metadata(const char* key) const { return file_.metadata(header_, key); }
  /// The tensor's bytes.
  const char* tensor(const std::string& name, const char* dtype, const std::vector<std::uint64_t>& shape) {
    places_.push_back(file_.place(header_, name, dtype, shape));
    if (const std::uint64_t end = places_.back().end; end > tensors_.size())
      refuse(fmt::format("tensor {} ends at byte {} of {}: truncated?", name, end, tensors_.size()));
    return tensors_.data() + places_.back().begin;
  }
  void finish() const {
    file_.check_places(header_, places_);
    file_.check_size(places_, tensors_.size());
  }

 private:
  TensorFile file_;
  std::string_view tensors_;
  TensorFile::Json header_;
  std::vector<TensorPlace> places_;
};

class Reader {
 public:
  Reader(File& file, const char* group, std::uint64_t rows) : file_(file), group_(group), rows_(rows) {}

  void next() { ++row_; }
  template <class T>
  void number(const char* name, T& value) {
    read(name, rows_, row_, value);
  }
  template <class T>
  void array(const char* name, std::uint64_t width, std::vector<T>& values) {
    const char* const bytes = tensor(name, std::is_same_v<T, float> ? "F32" : "U32", {rows_, width});
    values.resize(width);
    if (width > 0) std::memcpy(values.data(), bytes + row_ * width * sizeof(T), width * sizeof(T));
  }
  void curve(std::vector<CurvePoint>& points, std::size_t most) {
    if (row_ == 0) points_ = total(kPoints, most);
    std::int64_t count = 0;
    number(kPoints, count);
    points.resize(static_cast<std::size_t>(count));
    for (CurvePoint& p : points) {
      each_number_of_point(p, [&](const char* name, auto& x) { read(name, points_, point_, x); });
      if (p.episodes == 0) file_.refuse(fmt::format("element {} of tensor {}.curve.episodes is 0; expected 1 or more", point_, group_));
      ++point_;
    }
  }
  void text(std::string& value) {
    constexpr std::uint64_t kMost = 1000;
    if (row_ == 0) characters_ = total(kLength, kMost);
    std::int64_t count = 0;
    for (number(kLength, count); count > 0; --count) {
      std::uint32_t code = 0;
      read(kMessage, characters_, character_++, code);
      if (code < ' ' || code > '~') file_.refuse(fmt::format("tensor {}.{} is no plain text", group_, kMessage));
      value += static_cast<char>(code);
    }
  }

 private:
  const char* tensor(const char* name, const char* dtype, const std::vector<std::uint64_t>& shape) {
    const auto [at, fresh] = tensors_.try_emplace(name, nullptr);
    if (fresh) at->second = file_.tensor(fmt::format("{}.{}", group_, name), dtype, shape);
    return at->second;
  }
  /// Element `at` of a tensor of `count`.
  template <class T>
  void read(const char* name, std::uint64_t count, std::uint64_t at, T& value) {
    typename Element<T>::Stored stored;
    std::memcpy(&stored, tensor(name, Element<T>::kType, {count}) + at * sizeof stored, sizeof stored);
    if (!Element<T>::load(name, stored, value))
      file_.refuse(fmt::format("element {} of tensor {}.{} is {}, which no training writes", at, group_, name, stored));
  }
  /// The sum of a tensor of counts, each at most `most`.
  std::uint64_t total(const char* name, std::uint64_t most) {
    std::uint64_t sum = 0;
    for (std::uint64_t row = 0; row < rows_; ++row) {
      std::int64_t count = 0;
      read(name, rows_, row, count);
      if (static_cast<std::uint64_t>(count) > most)
        file_.refuse(fmt::format("element {} of tensor {}.{} is {}; expected at most {}", row, group_, name, count, most));
      sum += static_cast<std::uint64_t>(count);
    }
    return sum;
  }

  File& file_;
  const char* group_;
  std::uint64_t rows_, row_ = 0, points_ = 0, point_ = 0, characters_ = 0, character_ = 0;
  std::unordered_map<const char*, const char*> tensors_;
};

// ---- the records, by one list for both ---------------------------------------------------------------------------------

/// Of the best policy, where it is not the last one.
void best_parameters(Writer& file, std::uint64_t width, const std::vector<float>& parameters) {
  file.number("has_best_parameters", std::int64_t{parameters.empty() ? 0 : 1});
  file.array("best_parameters", width, parameters);
}
void best_parameters(Reader& file, std::uint64_t width, std::vector<float>& parameters) {
  std::int64_t has = 0;
  file.number("has_best_parameters", has);
  file.array("best_parameters", width, parameters);
  if (has == 0) parameters.clear();
}

template <class Rows, class Progress>
void progress_tensors(Rows& file, const KeptSizes& sizes, Progress& p) {
  AgentProgress::each_number(p, [&](const char* of, auto& x) { file.number(of, x); });
  each_kept(
      sizes, [&](const char* of, std::int64_t width, auto& array) { file.array(of, static_cast<std::uint64_t>(width), array); },
      p.snapshot);
  best_parameters(file, static_cast<std::uint64_t>(sizes.parameters), p.result.best_parameters);
  file.curve(p.curve.points(), CurveRecorder::kMost - 1);  // and one at the end
}

template <class Rows, class Result>
void result_tensors(Rows& file, const KeptSizes& sizes, Result& r) {
  each_number_of_result(r, [&](const char* of, auto& x) { file.number(of, x); });
  file.array("parameters", static_cast<std::uint64_t>(sizes.parameters), r.parameters);
  best_parameters(file, static_cast<std::uint64_t>(sizes.parameters), r.best_parameters);
  file.curve(r.curve, CurveRecorder::kMost);
  file.text(r.message);
}

constexpr const char *kAgents = "agent", *kResults = "result", *kOwn = "own";

std::uint64_t rows_of(const File& file, const char* group, const Checkpoint& c) {
  const std::string& text = file.metadata(group);
  const bool digits = !text.empty() && text.size() < 10 && text.find_first_not_of("0123456789") == std::string::npos;
  const std::uint64_t rows = digits ? std::stoull(text) : 0;
  if (!digits || rows > static_cast<std::uint64_t>(c.config.seeds))
    file.refuse(fmt::format("its metadata say of {} {}; expected 0 to {}", group, in_quotes(text), c.config.seeds));
  return rows;
}

/// Of agents that have some.
void read_hyperparameters(File& file, Checkpoint& c) {
  const std::uint64_t rows = rows_of(file, kOwn, c);
  Reader reader(file, kOwn, rows);
  for (std::uint64_t row = 0; row < rows; ++row, reader.next())
    each_number_of_own(c.config.agents.emplace_back(), [&](const char* of, auto& x) { reader.number(of, x); });
  try {
    check_settings(c.config);
  } catch (const Error& e) {
    file.refuse(e.what());
  }
}

/// f(file, record) for the rows of a group, whose numbers rise.
template <class F>
void each_row(File& file, const char* group, Checkpoint& c, F f) {
  const std::uint64_t rows = rows_of(file, group, c);
  Reader reader(file, group, rows);
  std::int64_t last = -1;
  for (std::uint64_t row = 0; row < rows; ++row, reader.next()) {
    std::int64_t number = 0;
    reader.number("number", number);
    if (number <= last || number >= c.config.seeds)
      file.refuse(fmt::format("element {} of tensor {}.number is {}; expected one above {} and below {}", row, group, number, last,
                              c.config.seeds));
    last = number;
    const std::uint64_t want = c.config.agent_seed(static_cast<int>(number));
    if (const std::uint64_t seed = f(reader, c.records[static_cast<int>(number)]); seed != want)
      file.refuse(fmt::format("element {} of tensor {}.seed is {}; expected {}", row, group, seed, want));
  }
}

}  // namespace

std::string encode_checkpoint(const Config& config, double seconds, const std::map<int, AgentRecord>& records) {
  const KeptSizes sizes = kept_sizes(config);
  Writer agents(kAgents), results(kResults), own(kOwn);
  for (const Hyperparameters& mine : config.agents) {
    each_number_of_own(mine, [&](const char* of, const auto& x) { own.number(of, x); });
    own.next();
  }
  for (const auto& [number, record] : records) {
    if (record.progress) {
      agents.number("number", std::int64_t{number});
      progress_tensors(agents, sizes, *record.progress);
      agents.next();
    }
    if (record.result) {
      results.number("number", std::int64_t{number});
      result_tensors(results, sizes, *record.result);
      results.next();
    }
  }
  std::vector<TensorBytes> tensors;
  agents.finish(tensors);
  results.finish(tensors);
  own.finish(tensors);
  return encode_tensors({{"format", "pt"},
                         {"cupg_checkpoint", kVersion},
                         {"config", write_config(config)},
                         {"seconds", fmt::format("{}", seconds)},
                         {kAgents, fmt::format("{}", agents.rows())},
                         {kResults, fmt::format("{}", results.rows())},
                         {kOwn, fmt::format("{}", own.rows())}},
                        tensors);
}

Checkpoint decode_checkpoint(std::string_view bytes, const std::string& source) {
  File file(bytes, source);
  if (file.metadata("cupg_checkpoint") != kVersion)
    file.refuse(fmt::format("it is of version {}; expected {}", in_quotes(file.metadata("cupg_checkpoint")), kVersion));
  Checkpoint c;
  read_config(file.metadata("config"), source, c.config);
  check_settings(c.config);
  if (searches(c.config)) file.refuse(fmt::format("its algorithm is {}, which has none", c.config.algorithm));
  const std::string& seconds = file.metadata("seconds");
  const char* const end = seconds.data() + seconds.size();
  const auto [read, error] = std::from_chars(seconds.data(), end, c.seconds);
  if (error != std::errc() || read != end || !Element<double>::load("seconds", c.seconds, c.seconds))
    file.refuse(fmt::format("its metadata say of seconds {}; expected a number from 0 to {:g}", in_quotes(seconds), kMostSeconds));

  read_hyperparameters(file, c);
  const KeptSizes sizes = kept_sizes(c.config);
  each_row(file, kAgents, c, [&](Reader& reader, AgentRecord& record) {
    progress_tensors(reader, sizes, record.progress.emplace());
    return record.progress->snapshot.seed;
  });
  each_row(file, kResults, c, [&](Reader& reader, AgentRecord& record) {
    result_tensors(reader, sizes, record.result.emplace());
    return record.result->seed;
  });
  file.finish();
  return c;
}

}  // namespace cupg
