#include "tests/ptx/machine/warp.hpp"

#include <algorithm>

namespace ptx {
namespace {

constexpr int kNowhere = std::numeric_limits<int>::max();
constexpr u32 kPoison = 0xdeadbeef;

int first(Mask lanes) { return __builtin_ctz(lanes); }

template <class F>
void each(Mask lanes, F f) {
  for (; lanes != 0; lanes &= lanes - 1) f(first(lanes));
}

}  // namespace

void Warp::fault(const Instruction& at, const std::string& what) const {
  const Program& p = *block->program;
  const auto k = static_cast<std::size_t>(&at - p.code.data());
  throw Fault(what + ": kernel " + p.name + ", block " + std::to_string(block->index.x) + "," + std::to_string(block->index.y) + "," +
              std::to_string(block->index.z) + ", warp " + std::to_string(index) + ", PTX line " + std::to_string(p.line[k]) + ": " +
              p.text[k]);
}

void Warp::deadlock() const {
  std::string where;
  each(live,
       [&](int l) { where += " " + std::to_string(l) + "@" + std::to_string(block->program->line[static_cast<std::size_t>(pc[l])]); });
  fault(block->program->code[static_cast<std::size_t>(pc[first(live)])],
        "deadlock: lanes wait for each other at different instructions (lane@line:" + where + ")");
}

int Warp::furthest_back(Mask lanes) const {
  int least = kNowhere;
  each(lanes, [&](int l) { least = std::min(least, pc[l]); });
  return least;
}

void Warp::move(Mask lanes, int to) {
  each(lanes, [&](int l) { pc[l] = to; });
}

Warp::Group Warp::next_group() {
  const Mask runnable = live & ~waiting;
  Group g{0, 0, kNowhere, kNowhere};
  Schedule& order = *block->schedule;
  const auto take_all_at = [&] { each(runnable, [&](int l) { g.lanes |= Mask{pc[l] == g.pc} << l; }); };
  if (!order.random()) {
    g.pc = furthest_back(runnable);
    take_all_at();
    g.others_at = furthest_back(runnable & ~g.lanes);
    return g;
  }
  int lanes[kLanes], n = 0;
  each(runnable, [&](int l) { lanes[n++] = l; });
  g.pc = pc[lanes[order.below(static_cast<u32>(n))]];
  take_all_at();
  if (order.below(4) == 0) {  // lanes that could go on together need not
    const Mask part = g.lanes & order.below(kAllLanes);
    if (part != 0) g.lanes = part;
  }
  g.budget = 1 + static_cast<int>(order.below(400));
  return g;
}

Warp::Stop Warp::run() {
  for (;;) {
    if (live == 0) return Stop::finished;
    if ((live & ~waiting) == 0) deadlock();
    Stop stop;
    if (run_group(next_group(), stop)) return stop;
  }
}

/// Whether all lanes of `needed` that are still alive have come to `at`, the arriving ones included.
bool Warp::all_there(int at, Mask arriving, Mask needed, Mask& there) const {
  there = arriving;
  each(waiting, [&](int l) { there |= Mask{pc[l] == at} << l; });
  return (there & needed) == (needed & live);
}

void Warp::shuffle(const Instruction& i, Mask lanes) {
  u32* const out = lanes_of<u32>(i.result);
  const u32 *a = lanes_of<u32>(i.operand[0]), *b = lanes_of<u32>(i.operand[1]), *c = lanes_of<u32>(i.operand[2]);
  u32 got[kLanes];
  Mask valid = 0;
  each(lanes, [&](int l) {
    // the names of the PTX manual: b the distance or lane, c a clamp and a mask of the segment
    const int distance = static_cast<int>(b[l] & 31), clamp = static_cast<int>(c[l] & 31), segment = static_cast<int>(c[l] >> 8 & 31);
    const int most = (l & segment) | (clamp & ~segment), least = l & segment;
    int from = 0;
    bool inside = false;
    switch (i.mode) {
      case Mode::up: from = l - distance, inside = from >= most; break;
      case Mode::down: from = l + distance, inside = from <= most; break;
      case Mode::butterfly: from = l ^ distance, inside = from <= most; break;
      default: from = least | (distance & ~segment), inside = from <= most;
    }
    if (!inside) from = l;
    got[l] = (lanes >> from & 1) != 0 ? a[from] : kPoison;  // from a lane that is not there: undefined
    valid |= Mask{inside} << l;
  });
  each(lanes, [&](int l) { out[l] = got[l]; });
  if (i.second_result != kNoRegister) set_predicate(i.second_result, lanes, valid);
  ++block->statistics->shuffles;
}

void Warp::vote(const Instruction& i, Mask lanes) {
  const Mask value = lanes & (i.operand_negated ? ~predicate(i.operand[0]) : predicate(i.operand[0]));
  if (i.mode == Mode::ballot) {
    u32* const out = lanes_of<u32>(i.result);
    each(lanes, [&](int l) { out[l] = value; });
    return;
  }
  const bool all = value == lanes, any = value != 0;
  set_predicate(i.result, lanes, (i.mode == Mode::vote_any ? any : i.mode == Mode::vote_all ? all : all || !any) ? kAllLanes : 0);
}

/// Runs a group of lanes that stand at one instruction until they part, wait or have had their turn. True: the warp stops, too.
bool Warp::run_group(Group g, Stop& stop) {
  const Instruction* const code = block->program->code.data();
  Statistics& count = *block->statistics;
  const auto leave = [&](int at) {
    move(g.lanes, at);
    return false;
  };
  for (;; --g.budget) {
    if (g.pc >= g.others_at || g.budget <= 0) {
      leave(g.pc);
      stop = Stop::yielded;
      return block->schedule->random() && block->schedule->below(8) == 0;
    }
    const Instruction& i = code[g.pc];
    ++count.warp_instructions;
    count.thread_instructions += static_cast<u64>(__builtin_popcount(g.lanes));
    Mask doing = g.lanes;
    if (i.guard != kNoRegister) doing &= i.guard_negated ? ~predicate(i.guard) : predicate(i.guard);

    switch (i.control) {
      case Control::lanes:
        if (doing != 0) i.run(*this, i, doing);
        ++g.pc;
        break;
      case Control::nothing: ++g.pc; break;
      case Control::branch:
        if (doing != 0 && doing != g.lanes) {
          ++count.divergent_branches;
          move(doing, i.target);
          move(g.lanes & ~doing, g.pc + 1);
          return false;
        }
        g.pc = doing != 0 ? i.target : g.pc + 1;
        break;
      case Control::call:
        each(doing, [&](int l) {
          if (depth[l] == kMostCalls) fault(i, "more than " + std::to_string(kMostCalls) + " calls deep");
          calls[l][depth[l]++] = g.pc + 1;
        });
        move(doing, i.target);
        move(g.lanes & ~doing, g.pc + 1);
        return false;
      case Control::leave:
      case Control::exit:
        move(g.lanes & ~doing, g.pc + 1);
        each(doing, [&](int l) {
          if (i.control == Control::leave && depth[l] > 0) {
            pc[l] = calls[l][--depth[l]];
          } else {
            live &= ~(Mask{1} << l);
          }
        });
        waiting = 0;  // nobody waits for a lane that has left; who still has to wait finds out again
        return false;
      case Control::trap:
        if (doing != 0) fault(i, "trap");
        ++g.pc;
        break;
      case Control::block_barrier: {
        if (doing != g.lanes) fault(i, "a barrier that some lanes of a warp skip");
        Mask there;
        if (!all_there(g.pc, doing, live, there)) {
          waiting |= doing;
          return leave(g.pc);
        }
        move(there, g.pc);
        waiting = 0;
        barrier = g.pc;
        ++count.barriers;
        stop = Stop::barrier;
        return true;
      }
      case Control::warp_barrier:
      case Control::shuffle:
      case Control::vote: {
        if (doing != g.lanes) {
          move(g.lanes & ~doing, g.pc + 1);
          if (doing == 0) return false;
          g.lanes = doing;
        }
        const u32* const members = lanes_of<u32>(i.operand[i.control == Control::shuffle ? 3 : i.control == Control::vote ? 1 : 0]);
        const Mask needed = members[first(doing)];
        each(doing, [&](int l) {
          if ((members[l] >> l & 1) == 0) fault(i, "lane " + std::to_string(l) + " is not in its own member mask");
          if (members[l] != needed) fault(i, "the lanes have different member masks");
        });
        Mask there;
        if (!all_there(g.pc, doing, needed, there)) {
          waiting |= doing;
          return leave(g.pc);
        }
        each(there, [&](int l) {  // a lane that this mask does not name has another one, too
          if (members[l] != needed) fault(i, "the lanes have different member masks");
        });
        waiting &= ~there;
        g.lanes = there;
        if (i.control == Control::shuffle) shuffle(i, there);
        if (i.control == Control::vote) vote(i, there);
        ++g.pc;
        if (!block->schedule->random()) g.others_at = furthest_back(live & ~waiting & ~there);
        break;
      }
    }
  }
}

}  // namespace ptx
