// Pictures in characters: of known states, each of which was looked at, and of single shapes.
#include "src/play/characters.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "cupg/environment.hpp"
#include "src/report/text.hpp"

namespace {

using cupg::Paint;
using Lines = std::vector<std::string>;

constexpr cupg::CharacterStyle kAscii{.unicode = false, .color = false};

Lines drawn(const char* environment, const std::vector<float>& state, int columns, int rows, cupg::CharacterStyle style = kAscii) {
  const int id = cupg::find_environment(environment).id;
  return cupg::draw_in_characters(cupg::draw(id, state), cupg::view_of(id), columns, rows, style);
}

std::string joined(const Lines& lines) {
  std::string text = "\n";
  for (const std::string& line : lines) text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  return text;
}

TEST(Characters, ShowACartAndAPoleThatLeansRight) {
  EXPECT_EQ(joined(drawn("CartPole-v1", {-1.0f, 0, 0.2f, 0}, 54, 8)), R"(

                  **
                  *
                 **
                 *
                **
  -------------#oo#---------------------------------

)");
}

TEST(Characters, ShowAPoleThatFallsLeftAtTheEndOfTheTrack) {
  EXPECT_EQ(joined(drawn("CartPole-v1", {2.3f, 0, -0.6f, 0}, 54, 8)), R"(


                                            **
                                             ***
                                              ***
                                                **
  ----------------------------------------------#oo#

)");
}

TEST(Characters, ShowACarInTheValleyAndOnTheLeftHill) {
  EXPECT_EQ(joined(drawn("MountainCar-v0", {-0.5236f, 0}, 38, 12)), R"(
                                  -++
                                  --
                               ------
                             --
 -                         --
 ---                     ---
   --                   --
    ---               ---
      --             --
        --         --
          ---ooo---

)");
  EXPECT_EQ(joined(drawn("MountainCar-v0", {-1.0f, 0}, 38, 12)), R"(
                                  -++
                                  --
                               ------
                             --
 -                         --
 ---                     ---
   -oo#                 --
    -o#               ---
      --             --
        --         --
          ---------

)");
}

TEST(Characters, ShowLinksOfWhichTheFirstPointsRightAndTheSecondUp) {
  EXPECT_EQ(joined(drawn("Acrobot-v1", {1.5708f, 1.5708f, 0, 0}, 32, 16)), R"(




++++++++++++++++++++++**++++++++
                      **
                      **
               oo*****oo
               oo*****oo







)");
}

TEST(Characters, HaveEightDotsInBraille) {
  EXPECT_EQ(joined(drawn("CartPole-v1", {0.5f, 0, 0.3f, 0}, 32, 6, {.unicode = true, .color = false})), R"(

                    ⡰
                   ⢠⠇
                   ⡜
 ⢸⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠶⠷⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⡇

)");
  // each dot alone: a view of one character, whose dots lie half a unit from its edges
  const char* const dots[4][2] = {{"⠁", "⠈"}, {"⠂", "⠐"}, {"⠄", "⠠"}, {"⡀", "⢀"}};
  for (int row = 0; row < 4; ++row)
    for (int column = 0; column < 2; ++column) {
      cupg::Picture picture;
      picture.circle(column + 0.5, 3.5 - row, 0.1, Paint::body);
      EXPECT_EQ(cupg::draw_in_characters(picture, {0, 0, 2, 4}, 1, 1, {}), Lines{dots[row][column]}) << row << " " << column;
    }
}

TEST(Characters, HaveTheColorOfWhatIsOnTop) {
  cupg::Picture picture;
  picture.line(0, 0.5, 8, 0.5, 1, Paint::ground);
  picture.circle(1, 0.5, 1, Paint::joint);
  picture.circle(0.5, 1, 0.1, Paint::goal);
  EXPECT_EQ(cupg::draw_in_characters(picture, {0, -1.5, 8, 2.5}, 4, 1, {.unicode = false, .color = true}), Lines{"\x1b[32m+\x1b[39m---"});
}

TEST(Characters, FillJustTheirLinesAtAnySize) {
  for (const cupg::EnvironmentInfo& e : cupg::environments())
    for (const auto& [columns, rows] : {std::pair(1, 1), std::pair(3, 50), std::pair(300, 2), std::pair(200, 60)}) {
      const Lines lines = drawn(e.name.data(), {0.1f, 0.2f, 0.3f, 0.4f}, columns, rows, {.unicode = true, .color = false});
      ASSERT_EQ(lines.size(), static_cast<std::size_t>(rows));
      for (const std::string& line : lines) EXPECT_EQ(cupg::columns_of(line), columns) << e.name;
    }
}

TEST(Characters, LeaveOutWhatIsBesideTheView) {
  cupg::Picture picture;
  picture.circle(1e6, -1e6, 3, Paint::body);
  picture.line(-1e30, 1e30, -1e29, 1e30, 1, Paint::body);
  EXPECT_EQ(cupg::draw_in_characters(picture, {0, 0, 2, 2}, 2, 1, kAscii), Lines{"  "});
}

}  // namespace
