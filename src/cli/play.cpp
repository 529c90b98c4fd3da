#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>
#include <vector>

#include "cupg/environment.hpp"
#include "cupg/error.hpp"
#include "cupg/run.hpp"
#include "src/api/text.hpp"
#include "src/cli/commands.hpp"
#include "src/cli/progress.hpp"
#include "src/cli/screen.hpp"
#include "src/cli/terminal.hpp"
#include "src/io/files.hpp"
#include "src/play/characters.hpp"
#include "src/play/episode.hpp"
#include "src/play/gif.hpp"
#include "src/report/text.hpp"

namespace cupg::cli {
namespace {

std::string episodes_text(std::size_t count) {
  return fmt::format("{} episode{}", format_count(static_cast<std::int64_t>(count)), count == 1 ? "" : "s");
}

/// "CartPole-v1: 3 episodes, mean return 487.33"
std::string summary(const Policy& policy, const std::vector<float>& returns) {
  double sum = 0;
  for (const float r : returns) sum += static_cast<double>(r);
  return fmt::format("{}: {}, {} {:.6g}", policy.environment, episodes_text(returns.size()), returns.size() == 1 ? "return" : "mean return",
                     sum / static_cast<double>(returns.size()));
}

// ---- an animation ----------------------------------------------------------------------------------------------------

constexpr int kEndHundredths = 100;  // how long the last state of an episode stands

/// The states of one episode at moments 1 / frames seconds apart.
void add_episode(const PlayArguments& arguments, Episode& episode, GifAnimation& gif) {
  const int id = episode.environment().id;
  const double steps_per_frame = arguments.speed / seconds_per_step(id) / arguments.frames;
  const auto hundredths = [&](int frame) { return (100 * frame + arguments.frames / 2) / arguments.frames; };
  int from = 0;
  for (int frame = 1; !episode.ended(); ++frame) {
    const int step = static_cast<int>(frame * steps_per_frame + 1e-6);
    if (step == episode.steps()) continue;  // slower than frames are
    gif.add(draw(id, episode.state()), hundredths(frame) - hundredths(from));
    from = frame;
    while (episode.steps() < step && !episode.ended()) episode.step();
  }
  gif.add(draw(id, episode.state()), kEndHundredths);
}

int write_gif(const PlayArguments& arguments, const Policy& policy) {
  check_parent_writable(*arguments.gif);
  const EnvironmentInfo& environment = find_environment(policy.environment);
  GifAnimation gif(arguments.width, view_of(environment.id));
  std::vector<float> returns;
  std::string file;
  {
    const StatusLine line(false, elapsed("drawing"));
    for (int number = 0; number < arguments.episodes.value_or(1); ++number) {
      Episode episode(policy, arguments.greedy, arguments.seed, static_cast<std::uint32_t>(number));
      add_episode(arguments, episode, gif);
      returns.push_back(episode.total());
    }
    file = gif.finish();
    write_file(*arguments.gif, file);
  }
  print_wrapped(fmt::format("{}, in {} ({:.0f} kB)\n", summary(policy, returns), one_line(arguments.gif->string()),
                            std::ceil(static_cast<double>(file.size()) / 1e3)));
  return kFinished;
}

// ---- the terminal ----------------------------------------------------------------------------------------------------

/// The first `columns` characters.
std::string cut(const std::string& line, int columns) {
  std::size_t end = 0;
  for (int left = columns; end < line.size(); ++end)
    if ((static_cast<unsigned char>(line[end]) & 0xc0) != 0x80 && left-- == 0) break;
  return line.substr(0, end);
}

/// What plays, and what the keys have done to it.
class Player {
 public:
  Player(const PlayArguments& arguments, const Policy& policy)
      : arguments_(arguments),
        policy_(policy),
        style_{has_unicode(), has_color()},
        speed_(arguments.speed),
        episode_(policy, arguments.greedy, arguments.seed, 0) {}

  bool ended() const { return quit_ || (is_last() && stood_ >= kStands); }
  const std::vector<float>& returns() const { return returns_; }  ///< of the episodes that have ended

  void press(char key) {
    switch (key) {
      case '<': return episode_.nudge(-1);
      case '>': return episode_.nudge(1);
      case ' ': paused_ = !paused_; return;
      case '+':
      case '=': speed_ = std::min(speed_ * 2, 64.0); return;
      case '-': speed_ = std::max(speed_ / 2, 1.0 / 64); return;
      case 'r': return restart();
      case 'q': quit_ = true; return;
      default: return;
    }
  }

  /// So many seconds go by.
  void pass(double seconds) {
    if (paused_) return;
    if (episode_.ended()) {
      stood_ += seconds;
      if (stood_ >= kStands && !is_last()) restart();
      return;
    }
    owed_ += seconds * speed_ / seconds_per_step(episode_.environment().id);
    while (owed_ >= 1 && !episode_.ended()) {
      episode_.step();
      owed_ -= 1;
    }
    if (episode_.ended()) returns_.push_back(episode_.total());
  }

  std::vector<std::string> lines(int columns, int rows, bool keys) const {
    const int below = rows < 5 ? 1 : 2;
    std::vector<std::string> lines;
    if (rows > below)
      lines = draw_in_characters(draw(episode_.environment().id, episode_.state()), view_of(episode_.environment().id), columns,
                                 rows - below, style_);
    lines.push_back(cut(status(), columns));
    if (below == 2) lines.push_back(cut(keys ? help() : "", columns));
    return lines;
  }

 private:
  static constexpr double kStands = 1;  // seconds that an episode's end is shown

  bool is_last() const { return arguments_.episodes && returns_.size() >= static_cast<std::size_t>(*arguments_.episodes); }

  void restart() {
    episode_ = Episode(policy_, arguments_.greedy, arguments_.seed, episode_.number() + 1);
    owed_ = stood_ = 0;
  }

  std::string status() const {
    const EnvironmentInfo& e = episode_.environment();
    std::string actions;
    for (int a = 0; a < e.actions; ++a)
      actions += a == episode_.action() ? (style_.unicode ? "\u25cf" : "#") : (style_.unicode ? "\u25cb" : ".");
    const std::string state = !episode_.ended() ? (paused_ ? "paused" : "") : episode_.terminated() ? "terminated" : "time limit";
    return fmt::format("{}  episode {}  step {} of {}  return {:g}  action {}  {:g}x  {}", e.name, episode_.number() + 1, episode_.steps(),
                       e.max_episode_steps, episode_.total(), actions, speed_, state);
  }

  std::string help() const {
    return fmt::format("{} push   space {}   + - speed   r next episode   q quit", style_.unicode ? "\u2190 \u2192" : "arrows",
                       paused_ ? "goes on" : "pauses");
  }

  const PlayArguments& arguments_;
  const Policy& policy_;
  CharacterStyle style_;
  double speed_;
  Episode episode_;
  std::vector<float> returns_;
  double owed_ = 0;   ///< steps that the time gone by is worth
  double stood_ = 0;  ///< seconds since the episode's end
  bool paused_ = false, quit_ = false;
};

int play_here(const PlayArguments& arguments, const Policy& policy) {
  if (!output_is_live())
    throw Error(ErrorKind::usage, "standard output: no terminal to draw on; expected one, or --gif FILE for an animation");
  using Clock = std::chrono::steady_clock;
  constexpr double kFrame = 0.02, kMost = 0.25;  // seconds; more were spent elsewhere, stopped or suspended
  Player player(arguments, policy);
  bool interrupted = false;
  {
    Screen screen(STDIN_FILENO, STDOUT_FILENO);
    for (auto before = Clock::now(); !player.ended() && !screen.ended();) {
      screen.show(player.lines(screen.columns(), screen.rows(), screen.has_keys()));
      for (const char key : screen.keys(kFrame)) player.press(key);
      const auto now = Clock::now();
      player.pass(std::min(std::chrono::duration<double>(now - before).count(), kMost));
      before = now;
    }
    interrupted = screen.ended();
  }
  if (interrupted) return kInterrupted;
  if (!player.returns().empty()) print_wrapped(summary(policy, player.returns()) + "\n");
  return kFinished;
}

}  // namespace

int run_play(const PlayArguments& arguments) {
  const Policy policy = load_policy(arguments.choice.file());
  return arguments.gif ? write_gif(arguments, policy) : play_here(arguments, policy);
}

}  // namespace cupg::cli
