#include "src/gradcheck/symbolic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <unordered_set>

#include "src/gradcheck/stopwatch.hpp"

namespace cupg::gradcheck {
namespace {

using GiNaC::ex;

struct Hash {
  std::size_t operator()(const ex& e) const { return e.gethash(); }
};
struct Same {
  bool operator()(const ex& a, const ex& b) const { return a.is_equal(b); }
};

/// Counts the nodes of the expressions that it is shown.
class Counter {
 public:
  void add(const ex& e) {
    seen_.insert(e);
    size_.tree += 1;
    for (std::size_t i = 0; i < e.nops(); ++i) add(e.op(i));
    size_.distinct = static_cast<std::int64_t>(seen_.size());
  }
  const ExpressionSize& size() const { return size_; }

 private:
  std::unordered_set<ex, Hash, Same> seen_;
  ExpressionSize size_;
};

ExpressionSize size_of(const ex& e) {
  Counter counter;
  counter.add(e);
  return counter.size();
}

double number(const ex& e) { return GiNaC::ex_to<GiNaC::numeric>(e.evalf()).to_double(); }

std::string as_c(const ex& e) {
  std::ostringstream text;
  text << GiNaC::csrc_double << e;
  return text.str();
}

/// expand() multiplies sums out; where a derivative has more nodes than this, it would take minutes and gigabytes.
constexpr std::int64_t kMostExpanded = 20000;

}  // namespace

std::string parameter_name(const std::vector<TensorInfo>& blocks, int parameter) {
  for (const TensorInfo& t : blocks)
    if (parameter >= t.offset && parameter < t.offset + t.elements()) {
      const int at = parameter - t.offset;
      return t.columns == 1 && t.name.ends_with(".bias") ? fmt::format("{}[{}]", t.name, at)
                                                         : fmt::format("{}[{}][{}]", t.name, at / t.columns, at % t.columns);
    }
  return "?";
}

std::vector<GiNaC::symbol> make_symbols(const std::vector<TensorInfo>& blocks, const std::vector<int>& which) {
  std::vector<GiNaC::symbol> symbols;
  for (const int i : which) {
    std::string name = parameter_name(blocks, i);
    std::erase(name, ']');
    std::replace_if(
        name.begin(), name.end(), [](char c) { return c == '.' || c == '['; }, '_');
    symbols.emplace_back(name);
  }
  return symbols;
}

SymbolicResult differentiate(const ex& loss, const std::vector<GiNaC::symbol>& symbols, const std::vector<int>& which,
                             const std::vector<double>& parameters) {
  SymbolicResult r;
  r.symbols = which;
  r.gradient.assign(parameters.size(), 0.0);
  r.loss_size = size_of(loss);
  GiNaC::exmap values;
  for (std::size_t i = 0; i < which.size(); ++i) values[symbols[i]] = GiNaC::numeric(parameters[static_cast<std::size_t>(which[i])]);

  const Stopwatch derive;
  std::vector<ex> derivatives;
  for (const GiNaC::symbol& s : symbols) derivatives.push_back(loss.diff(s));
  r.derive_seconds = derive.seconds();

  const Stopwatch evaluate;
  for (std::size_t i = 0; i < which.size(); ++i)
    r.gradient[static_cast<std::size_t>(which[i])] = number(derivatives[i].subs(values, GiNaC::subs_options::no_pattern));
  r.evaluate_seconds = evaluate.seconds();
  r.loss = number(loss.subs(values, GiNaC::subs_options::no_pattern));

  Counter counter;
  std::size_t longest = 0, shortest = 0;
  std::vector<std::int64_t> length;
  for (std::size_t i = 0; i < derivatives.size(); ++i) {
    const std::int64_t before = counter.size().tree;
    counter.add(derivatives[i]);
    length.push_back(counter.size().tree - before);
    if (length[i] > length[longest]) longest = i;
    if (length[shortest] < 2 || (length[i] > 1 && length[i] < length[shortest])) shortest = i;
  }
  r.all = counter.size();
  if (derivatives.empty()) return r;
  r.longest_name = std::to_string(which[longest]);
  r.longest = size_of(derivatives[longest]);
  r.factored = size_of(GiNaC::collect_common_factors(derivatives[longest]));
  r.expand_given_up = r.longest.tree > kMostExpanded;
  if (!r.expand_given_up) r.expanded = size_of(derivatives[longest].expand());
  if (length[shortest] > 1) {
    r.shortest_name = std::to_string(which[shortest]);
    r.shortest = as_c(derivatives[shortest]);
  }
  return r;
}

}  // namespace cupg::gradcheck
