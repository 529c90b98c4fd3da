#include "tests/ptx/machine/launch.hpp"

#include <algorithm>
#include <cstring>
#include <functional>
#include <numeric>
#include <unordered_map>

#include "tests/ptx/machine/decode.hpp"

namespace ptx {
namespace {

constexpr int kRegisterPoison = 0xE7, kSharedPoison = 0xFF;  // as floats: a large number, and NaN

u32 special_value(const std::string& name, const Dim& grid, const Dim& block, const Dim& index, u32 thread) {
  using Value = u32 (*)(const Dim& grid, const Dim& block, const Dim& index, u32 thread);
  static const std::unordered_map<std::string, Value> values{
      {"%tid.x", [](const Dim&, const Dim& b, const Dim&, u32 t) { return t % b.x; }},
      {"%tid.y", [](const Dim&, const Dim& b, const Dim&, u32 t) { return t / b.x % b.y; }},
      {"%tid.z", [](const Dim&, const Dim& b, const Dim&, u32 t) { return t / b.x / b.y; }},
      {"%ntid.x", [](const Dim&, const Dim& b, const Dim&, u32) { return b.x; }},
      {"%ntid.y", [](const Dim&, const Dim& b, const Dim&, u32) { return b.y; }},
      {"%ntid.z", [](const Dim&, const Dim& b, const Dim&, u32) { return b.z; }},
      {"%ctaid.x", [](const Dim&, const Dim&, const Dim& i, u32) { return i.x; }},
      {"%ctaid.y", [](const Dim&, const Dim&, const Dim& i, u32) { return i.y; }},
      {"%ctaid.z", [](const Dim&, const Dim&, const Dim& i, u32) { return i.z; }},
      {"%nctaid.x", [](const Dim& g, const Dim&, const Dim&, u32) { return g.x; }},
      {"%nctaid.y", [](const Dim& g, const Dim&, const Dim&, u32) { return g.y; }},
      {"%nctaid.z", [](const Dim& g, const Dim&, const Dim&, u32) { return g.z; }},
      {"%laneid", [](const Dim&, const Dim&, const Dim&, u32 t) { return t % kLanes; }},
      {"%lanemask_lt", [](const Dim&, const Dim&, const Dim&, u32 t) { return (1u << t % kLanes) - 1; }},
      {"%lanemask_le", [](const Dim&, const Dim&, const Dim&, u32 t) { return (2u << t % kLanes) - 1; }},
      {"%lanemask_eq", [](const Dim&, const Dim&, const Dim&, u32 t) { return 1u << t % kLanes; }},
      {"%lanemask_ge", [](const Dim&, const Dim&, const Dim&, u32 t) { return ~((1u << t % kLanes) - 1); }},
      {"%lanemask_gt", [](const Dim&, const Dim&, const Dim&, u32 t) { return ~((2u << t % kLanes) - 1); }}};
  return values.at(name)(grid, block, index, thread);
}

/// The warps of one block at a time; registers and memory are used again by the next.
class BlockRunner {
 public:
  BlockRunner(LoadedModule& module, const Program& program, const Launch& launch, Schedule& schedule, Statistics& statistics)
      : program_(program), launch_(launch), schedule_(schedule), warps_((launch.block.count() + kLanes - 1) / kLanes) {
    block_.program = &program;
    block_.memory = &module.memory();
    block_.device = module.device();
    block_.parameters = launch.parameters.data();
    block_.schedule = &schedule;
    block_.statistics = &statistics;
    const auto fixed = static_cast<std::size_t>(program.static_shared);
    block_.shared.resize(launch.dynamic_shared == 0 ? fixed : round_up(fixed, 16) + launch.dynamic_shared);

    constexpr std::size_t kLine = 64;
    const std::size_t bytes = round_up(program.register_bytes, kLine);
    registers_.reset(static_cast<u8*>(::operator new (std::max<std::size_t>(bytes * warps_.size(), 1), std::align_val_t{kLine})));
    std::memset(registers_.get(), kRegisterPoison, bytes * warps_.size());
    for (std::size_t k = 0; k < warps_.size(); ++k) {
      warps_[k].registers = registers_.get() + k * bytes;
      warps_[k].block = &block_;
      warps_[k].index = static_cast<int>(k);
      warps_[k].local.resize(static_cast<std::size_t>(program.local_bytes) * kLanes);
      for (const Constant& c : program.constants) set_constant(warps_[k], c);
    }
  }

  void run(const Dim& index) {
    block_.index = index;
    std::fill(block_.shared.begin(), block_.shared.end(), kSharedPoison);
    for (Warp& w : warps_) begin(w);
    for (std::size_t running = warps_.size(); running > 0;) {
      const std::size_t first = schedule_.random() ? schedule_.below(static_cast<u32>(warps_.size())) : 0;
      for (std::size_t n = 0; n < warps_.size(); ++n) {
        Warp& w = warps_[(n + first) % warps_.size()];
        if (w.live != 0 && w.barrier < 0 && w.run() == Warp::Stop::finished) --running;
      }
      release_barrier();
    }
  }

 private:
  static void set_constant(Warp& w, const Constant& c) {
    if (c.slot == Slot::predicate) {
      w.predicate(c.at) = static_cast<Mask>(c.value);
    } else if (c.slot == Slot::wide) {
      std::fill_n(w.lanes_of<u64>(c.at), kLanes, c.value);
    } else {
      std::fill_n(w.lanes_of<u32>(c.at), kLanes, static_cast<u32>(c.value));
    }
  }

  void begin(Warp& w) {
    const u32 threads = static_cast<u32>(launch_.block.count()), first = static_cast<u32>(w.index) * kLanes;
    w.live = w.waiting = 0;
    w.barrier = -1;
    std::fill(w.local.begin(), w.local.end(), kSharedPoison);
    for (u32 l = 0; l < kLanes; ++l) {
      if (first + l < threads) w.live |= Mask{1} << l;
      w.pc[l] = program_.start;
      w.depth[l] = 0;
    }
    for (const SpecialRegister& s : program_.specials)
      for (u32 l = 0; l < kLanes; ++l)
        w.lanes_of<u32>(s.at)[l] = special_value(s.name, launch_.grid, launch_.block, block_.index, first + l);
  }

  /// Lets the warps go on once all that live have come to a barrier.
  void release_barrier() {
    const Instruction* at = nullptr;
    bool all = true, any = false;
    u32 count = 0;
    for (Warp& w : warps_) {
      if (w.live == 0) continue;
      if (w.barrier < 0) return;  // its turn comes again
      const Instruction& i = program_.code[static_cast<std::size_t>(w.barrier)];
      if (at != nullptr && at->mode != i.mode) w.fault(i, "warps meet at barriers of different kinds");
      at = &i;
      if (i.mode == Mode::wait) continue;
      const Mask value = w.predicate(i.operand[0]) & w.live;
      all = all && value == w.live;
      any = any || value != 0;
      count += static_cast<u32>(__builtin_popcount(value));
    }
    for (Warp& w : warps_) {
      if (w.live == 0) continue;
      const Instruction& i = program_.code[static_cast<std::size_t>(w.barrier)];
      if (i.mode == Mode::count) {
        std::fill_n(w.lanes_of<u32>(i.result), kLanes, count);
      } else if (i.mode != Mode::wait) {
        w.set_predicate(i.result, w.live, (i.mode == Mode::all ? all : any) ? kAllLanes : 0);
      }
      for (int l = 0; l < kLanes; ++l) w.pc[l] += w.live >> l & 1;
      w.barrier = -1;
    }
  }

  struct Free {
    void operator()(u8* p) const { ::operator delete (p, std::align_val_t{64}); }
  };
  const Program& program_;
  const Launch& launch_;
  Schedule& schedule_;
  Block block_;
  std::unique_ptr<u8[], Free> registers_;
  std::vector<Warp> warps_;
};

}  // namespace

LoadedModule::LoadedModule(Module module, AddressSpace& memory, int device) : module_(std::move(module)), memory_(memory), device_(device) {
  for (const Global& g : module_.globals) {
    const auto bytes = static_cast<std::size_t>(g.variable.bytes()), element = static_cast<std::size_t>(g.variable.element);
    const u64 at = memory_.allocate(bytes, device_);
    u8* const to = memory_.host_pointer(at, bytes);
    if (to == nullptr) throw Fault("no addresses left for the variables of a module");
    std::memset(to, 0, bytes);
    for (std::size_t k = 0; k < std::min(g.values.size(), static_cast<std::size_t>(g.variable.count)); ++k)
      std::memcpy(to + k * element, &g.values[k], element);
    globals_[g.variable.name] = at;
  }
}

const Function* LoadedModule::find_kernel(const std::string& name) const {
  const auto found = module_.functions.find(name);
  return found != module_.functions.end() && found->second.entry ? &found->second : nullptr;
}

const Program& LoadedModule::program(const Function& kernel) {
  std::unique_ptr<Program>& slot = programs_[kernel.name];
  if (!slot) slot = std::make_unique<Program>(decode(module_, kernel, globals_));
  return *slot;
}

void run_grid(LoadedModule& module, const Function& kernel, const Launch& launch, Schedule& schedule, Statistics& statistics) {
  const Program& program = module.program(kernel);
  BlockRunner runner(module, program, launch, schedule, statistics);
  const u64 blocks = launch.grid.count();
  std::vector<u64> order;
  if (schedule.random()) {
    order.resize(blocks);
    std::iota(order.begin(), order.end(), u64{0});
    for (u64 k = blocks; k > 1; --k) std::swap(order[k - 1], order[schedule.below(static_cast<u32>(k))]);
  }
  ++statistics.launches;
  for (u64 k = 0; k < blocks; ++k) {
    const u64 b = order.empty() ? k : order[k];
    ++statistics.blocks;
    runner.run({static_cast<u32>(b % launch.grid.x), static_cast<u32>(b / launch.grid.x % launch.grid.y),
                static_cast<u32>(b / launch.grid.x / launch.grid.y)});
  }
}

}  // namespace ptx
