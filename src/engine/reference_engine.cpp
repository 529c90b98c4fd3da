// The reference algorithm (reference.hpp) behind the Engine interface.
#include "cupg/error.hpp"
#include "src/engine/engine.hpp"
#include "src/engine/reference.hpp"

namespace cupg {
namespace {

template <class Agent>
class ReferenceEngine final : public Engine {
 public:
  ReferenceEngine(const Config& config, const EnvironmentInfo& environment, int agents) {
    for (int i = 0; i < agents; ++i) agents_.emplace_back(config, environment);
  }
  void reset(int agent, std::uint64_t seed, int number) override { at(agent).reset(seed, number); }
  void update(std::span<const int> agents, std::int64_t updates, std::span<UpdateReport> reports) override {
    for (std::size_t i = 0; i < agents.size(); ++i) {
      UpdateReport& r = reports[i] = {};
      while (r.updates < updates && r.finite) {
        r.finite = at(agents[i]).update(r.episodes, r.env_steps);
        r.updates += r.finite;
      }
      r.parameters_finite = all_finite(parameters(agents[i]));
    }
  }
  void update_measured(std::span<const int> agents, std::int64_t updates, std::span<UpdateReport> reports) override {
    update(agents, updates, reports);
    for (std::size_t i = 0; i < agents.size(); ++i)
      if (reports[i].finite) reports[i].metrics = at(agents[i]).metrics();
  }
  Evaluation evaluate(int agent, const EvaluationRequest& request) override {
    std::vector<float> returns;
    for (int i = 0; i < request.episodes; ++i) returns.push_back(at(agent).play(i, request));
    return summarize_evaluation(std::move(returns), request, true);
  }
  std::span<const float> parameters(int agent) const override { return agents_[static_cast<std::size_t>(agent)].parameters; }
  void set_parameters(int agent, std::span<const float> parameters) override {
    at(agent).parameters.assign(parameters.begin(), parameters.end());
  }
  void save(std::span<const int> agents, std::span<Snapshot> snapshots) override {
    for (std::size_t i = 0; i < agents.size(); ++i) at(agents[i]).save(snapshots[i]);
  }
  void load(std::span<const int> agents, std::span<const Snapshot> snapshots, std::span<const int> numbers) override {
    for (std::size_t i = 0; i < agents.size(); ++i) at(agents[i]).load(snapshots[i], numbers[i]);
  }
  std::string device() const override { return "reference"; }
  std::string isa() const override { return "scalar"; }
  int threads() const override { return 1; }

 private:
  Agent& at(int agent) { return agents_[static_cast<std::size_t>(agent)]; }
  std::vector<Agent> agents_;
};

}  // namespace

std::unique_ptr<Engine> make_reference_engine(const Config& config, int agents) {
  const EnvironmentInfo& environment = find_environment(config.environment);
  return with_environment(environment.id, [&]<class Env>() -> std::unique_ptr<Engine> {
    const auto make = [&]<class Objective>() -> std::unique_ptr<Engine> {
      return std::make_unique<ReferenceEngine<reference::Agent<Env, Objective, float>>>(config, environment, agents);
    };
    return with_objective(objective_number(config.algorithm), make, [&] {
      throw Error(ErrorKind::usage,
                  "device: reference with algo = " + config.algorithm + "; expected cpu: it knows the built-in objectives alone");
    });
  });
}

}  // namespace cupg
