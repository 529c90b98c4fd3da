// J of one sample as an expression of the parameters, and its derivatives by GiNaC's rules.
//
// The lesson is the swell: a derivative written as a tree repeats the network once for every path through it, while the same expression
// with equal parts shared (what reverse mode does) stays small. So more parameters than kMostSymbols are numbers, but for a few of every
// block.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "src/gradcheck/errors.hpp"
#include "src/gradcheck/frozen.hpp"
#include "src/gradcheck/symbol.hpp"

namespace cupg::gradcheck {

inline constexpr std::size_t kMostSymbols = 160;

/// Nodes of expressions: as trees, and with equal subexpressions counted once.
struct ExpressionSize {
  std::int64_t tree = 0, distinct = 0;
};

struct SymbolicResult {
  std::uint32_t sample = 0;                    ///< which
  std::vector<int> symbols;                    ///< parameters that are symbols; the others are numbers
  std::vector<double> gradient;                ///< [parameters] dJ of this sample, 0 for numbers
  double loss = 0;                             ///< J by evaluating the expression
  ExpressionSize loss_size;                    ///< of J
  ExpressionSize all;                          ///< of all derivatives together
  std::string longest_name;                    ///< the parameter with the longest derivative, and that derivative's size:
  ExpressionSize longest, expanded, factored;  ///< as GiNaC derives it, after expand(), after collect_common_factors()
  bool expand_given_up = false;                ///< too long to be expanded in reasonable time: `expanded` is not there
  std::string shortest_name, shortest;         ///< the parameter with the shortest derivative that is not 0, and that as a C expression
  double derive_seconds = 0, evaluate_seconds = 0;
};

/// The derivatives of `loss` with respect to the symbols of `which`; its value at `parameters`.
SymbolicResult differentiate(const GiNaC::ex& loss, const std::vector<GiNaC::symbol>& symbols, const std::vector<int>& which,
                             const std::vector<double>& parameters);

/// A symbol for each of these parameters, named after it: w_shared_hidden1_weight_3.
std::vector<GiNaC::symbol> make_symbols(const std::vector<TensorInfo>& blocks, const std::vector<int>& which);

/// "shared.hidden1.weight[3]".
std::string parameter_name(const std::vector<TensorInfo>& blocks, int parameter);

template <class Env, class Objective>
SymbolicResult symbolic_gradient(const Frozen& f, std::uint32_t sample) {
  const std::vector<TensorInfo> blocks = parameter_layout(f.network);
  std::vector<int> which = every(f.parameters.size());
  if (which.size() > kMostSymbols) which = spread(blocks, which.size(), 0);
  const std::vector<GiNaC::symbol> symbols = make_symbols(blocks, which);
  std::vector<Symbolic> parameters = parameters_in<Symbolic>(f);
  for (std::size_t i = 0; i < which.size(); ++i) parameters[static_cast<std::size_t>(which[i])].e = symbols[i];
  const reference::Network<Symbolic> network(f.network);
  const Symbolic loss = sample_loss<Objective, Env::kActions>(f, network, parameters.data(), f.samples[sample]);
  SymbolicResult r = differentiate(loss.e, symbols, which, f.parameters);
  r.sample = sample;
  if (!r.longest_name.empty()) r.longest_name = parameter_name(blocks, std::stoi(r.longest_name));
  if (!r.shortest_name.empty()) r.shortest_name = parameter_name(blocks, std::stoi(r.shortest_name));
  return r;
}

}  // namespace cupg::gradcheck
