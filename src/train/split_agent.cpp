#include "src/train/split_agent.hpp"

#include <csignal>
#include <type_traits>
#include <utility>
#include <vector>

#include "src/engine/cpu_engines.hpp"
#include "src/engine/device.hpp"

namespace cupg {
namespace {

enum class Order : std::uint32_t { reset, update, train, save, load, end };

/// What rank 0 has its followers do, as it does.
struct Command {
  Order order = Order::end;
  int number = 0;            ///< of the agent
  std::uint64_t seed = 0;    ///< reset
  std::int64_t updates = 0;  ///< update
  Watch watch;               ///< train
};
static_assert(std::is_trivially_copyable_v<Command>);

class RankParts final : public Parts {
 public:
  RankParts(Ranks& ranks, std::function<bool()> stop) : Parts(ranks.rank(), ranks.size()), ranks_(ranks), stop_(std::move(stop)) {}

  bool gather(bool stop, const void* mine, std::span<const std::size_t> sizes, void* all) override {
    const bool any = ranks_.gather(stop, mine, sizes, all);
    // what interrupts one of the ranks interrupts the command, which may have been told itself meanwhile
    if (any && part == 0 && !stop_()) std::raise(SIGTERM);
    return any;
  }

  /// Rank 0's, which the others pass anything.
  Command told(const Command& command) {
    std::vector<std::size_t> sizes(static_cast<std::size_t>(count));
    sizes[0] = sizeof command;
    Command its;
    (void)gather(stop_(), &command, sizes, &its);
    return its;
  }

 private:
  Ranks& ranks_;
  const std::function<bool()> stop_;
};

class LeadingEngine final : public Engine {
 public:
  LeadingEngine(Ranks& ranks, const Config& config, int threads)
      : ranks_(ranks), parts_(ranks, [this] { return stopped(); }), engine_(make_part_engine(config, threads, parts_)) {
    engine_->stop_when([this] { return stopped(); });
  }
  ~LeadingEngine() override {
    if (ordering_) return;  // an order has failed here, and the others wait for the rest of it: they are still busy
    parts_.told({});
    ranks_.busy = false;
  }

  void reset(int agent, std::uint64_t seed, int number) override {
    order({.order = Order::reset, .number = number, .seed = seed, .watch = {}}, [&] { engine_->reset(agent, seed, number); });
  }
  void update(std::span<const int> agents, std::int64_t updates, std::span<UpdateReport> reports) override {
    if (!agents.empty())
      order({.order = Order::update, .updates = updates, .watch = {}}, [&] { engine_->update(agents, updates, reports); });
  }
  void begin_training(std::span<const int> agents, std::span<const Watch> watches) override {
    engine_->begin_training(agents, watches);
    if (agents.empty()) return;
    order({.order = Order::train, .watch = watches[0]}, [&] { looks_ = engine_->end_training(); });
  }
  std::span<const AgentReport> end_training() override { return std::exchange(looks_, {}); }
  Evaluation evaluate(int agent, const EvaluationRequest& request) override { return engine_->evaluate(agent, request); }
  std::span<const float> parameters(int agent) const override { return engine_->parameters(agent); }
  void set_parameters(int agent, std::span<const float> parameters) override { engine_->set_parameters(agent, parameters); }
  void save(std::span<const int> agents, std::span<Snapshot> snapshots) override {
    if (!agents.empty()) order({.order = Order::save, .watch = {}}, [&] { engine_->save(agents, snapshots); });
  }
  void load(std::span<const int> agents, std::span<const Snapshot> snapshots, std::span<const int> numbers) override {
    if (!agents.empty())
      order({.order = Order::load, .number = numbers[0], .watch = {}}, [&] { engine_->load(agents, snapshots, numbers); });
  }
  std::string device() const override { return engine_->device(); }
  std::string isa() const override { return engine_->isa(); }
  int threads() const override { return engine_->threads(); }

 private:
  template <class F>
  void order(const Command& command, F mine) {
    ordering_ = true;
    parts_.told(command);
    mine();
    ordering_ = false;
  }

  Ranks& ranks_;
  RankParts parts_;
  const std::unique_ptr<Engine> engine_;
  std::span<const AgentReport> looks_;
  bool ordering_ = false;
};

}  // namespace

bool can_split(const Config& config, const Ranks& ranks) {
  return choose_device(config).device == Device::cpu && can_split(config, ranks.size());
}

std::unique_ptr<Engine> lead_parts(Ranks& ranks, const Config& config, int threads) {
  return std::make_unique<LeadingEngine>(ranks, config, threads);
}

void follow(Ranks& ranks, const Config& config, int threads, const AgentProgress* begun, const std::function<bool()>& stop,
            const std::function<void()>& ready) {
  RankParts parts(ranks, stop);
  const std::unique_ptr<Engine> engine = make_part_engine(config, threads, parts);
  engine->stop_when(stop);
  ready();
  constexpr int kAgent[] = {0};
  UpdateReport report;
  Snapshot snapshot;
  while (true) {
    const Command c = parts.told({});
    switch (c.order) {
      case Order::reset: engine->reset(0, c.seed, c.number); break;
      case Order::update: engine->update(kAgent, c.updates, {&report, 1}); break;
      case Order::train:
        engine->begin_training(kAgent, {&c.watch, 1});
        engine->end_training();
        break;
      case Order::save: engine->save(kAgent, {&snapshot, 1}); break;
      case Order::load: engine->load(kAgent, {&begun->snapshot, 1}, {&c.number, 1}); break;
      case Order::end: return;
    }
  }
}

}  // namespace cupg
