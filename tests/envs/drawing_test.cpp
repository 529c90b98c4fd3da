// What environments draw: shapes where the state says, inside the view, the same in float and double.
#include <gtest/gtest.h>

#include <cmath>
#include <type_traits>
#include <vector>

#include "cupg/environment.hpp"
#include "envs/registry.hpp"

namespace {

using cupg::Paint;

struct Shape {
  std::vector<double> numbers;
  Paint paint;
};

/// Writes down what it is called with.
template <class S>
struct Recorder {
  std::vector<Shape> shapes;

  void line(S x0, S y0, S x1, S y1, S width, Paint paint) { add({x0, y0, x1, y1, width}, paint); }
  void circle(S x, S y, S radius, Paint paint) { add({x, y, radius}, paint); }
  template <std::size_t N>
  void polygon(const cupg::Point<S> (&corners)[N], Paint paint) {
    shapes.push_back({{}, paint});
    for (const auto& [x, y] : corners)
      shapes.back().numbers.insert(shapes.back().numbers.end(), {static_cast<double>(x), static_cast<double>(y)});
  }

  std::vector<Shape> of(Paint paint) const {
    std::vector<Shape> found;
    for (const Shape& shape : shapes)
      if (shape.paint == paint) found.push_back(shape);
    return found;
  }

 private:
  void add(std::initializer_list<S> numbers, Paint paint) { shapes.push_back({{numbers.begin(), numbers.end()}, paint}); }
};

template <class Env, class S = double>
Recorder<S> drawn(const std::type_identity_t<typename Env::template State<S>>& state) {
  Recorder<S> canvas;
  Env::draw(state, canvas);
  return canvas;
}

constexpr double kPi = 3.14159265358979323846;

TEST(Drawing, APoleEndsWhereItsAngleSays) {
  for (const double theta : {0.0, 0.2, -0.2, 0.5, kPi / 2, -2.0}) {  // beyond 12 degrees too: a disturbed pole
    const auto pole = drawn<cupg::CartPole>({1.5, 0, theta, 0}).of(Paint::limb);
    ASSERT_EQ(pole.size(), 1u);
    const auto& n = pole[0].numbers;
    EXPECT_EQ(n[0], 1.5) << "on the cart";
    EXPECT_NEAR(n[2], 1.5 + std::sin(theta), 1e-12) << "a positive angle leans right";
    EXPECT_NEAR(n[3] - n[1], std::cos(theta), 1e-12);
  }
  const auto cart = drawn<cupg::CartPole>({1.5, 0, 0, 0}).of(Paint::body);
  ASSERT_EQ(cart.size(), 1u);
  EXPECT_EQ(cart[0].numbers, (std::vector<double>{1.3, -0.12, 1.7, -0.12, 1.7, 0.12, 1.3, 0.12}));
}

TEST(Drawing, AcrobotsLinksHangAndReachTheGoalLine) {
  // hanging; the first link to the right; both up: the free end is 2 m above the pivot; folded back: at the pivot
  const struct {
    double theta1, theta2, x1, y1, x2, y2;
  } cases[] = {
      {0, 0, 0, -1, 0, -2}, {kPi / 2, 0, 1, 0, 2, 0}, {kPi, 0, 0, 1, 0, 2}, {-kPi, kPi, 0, 1, 0, 0}, {kPi / 2, kPi / 2, 1, 0, 1, 1}};
  for (const auto& c : cases) {
    const auto picture = drawn<cupg::Acrobot>({c.theta1, c.theta2, 0, 0});
    const auto links = picture.of(Paint::limb);
    ASSERT_EQ(links.size(), 2u);
    const double want[2][4] = {{0, 0, c.x1, c.y1}, {c.x1, c.y1, c.x2, c.y2}};
    for (std::size_t link = 0; link < 2; ++link)
      for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(links[link].numbers[i], want[link][i], 1e-12) << c.theta1 << " " << c.theta2;
    ASSERT_EQ(picture.of(Paint::goal).size(), 1u);
    EXPECT_EQ(picture.of(Paint::goal)[0].numbers[1], cupg::Acrobot::kHeight);
  }
}

TEST(Drawing, AMountainCarStandsOnTheHill) {
  // the hill is 0.45 sin 3x + 0.55; at x = -pi/6 it is lowest and level, so that the car is upright
  const auto valley = drawn<cupg::MountainCar>({-kPi / 6, 0});
  const auto car = valley.of(Paint::body)[0].numbers;
  for (const std::size_t corner : {0u, 1u}) EXPECT_NEAR(car[2 * corner + 1], 0.1 + 0.03, 1e-12);
  for (const double x : {-1.2, -0.9, -0.3, 0.0, 0.5, 0.6}) {
    const auto wheels = drawn<cupg::MountainCar>({x, 0}).of(Paint::joint);
    ASSERT_EQ(wheels.size(), 2u);
    const double middle[2] = {(wheels[0].numbers[0] + wheels[1].numbers[0]) / 2, (wheels[0].numbers[1] + wheels[1].numbers[1]) / 2};
    EXPECT_NEAR(std::hypot(middle[0] - x, middle[1] - (0.45 * std::sin(3 * x) + 0.55)), wheels[0].numbers[2], 1e-12) << "a radius above";
    const double rise = (wheels[1].numbers[1] - wheels[0].numbers[1]) / (wheels[1].numbers[0] - wheels[0].numbers[0]);
    EXPECT_NEAR(rise, 1.35 * std::cos(3 * x), 1e-12) << "along the tangent";
  }
  const auto hill = valley.of(Paint::ground);
  EXPECT_EQ(hill.front().numbers[0], cupg::MountainCar::kLeft);
  for (const Shape& piece : hill)
    if (piece.numbers[0] != piece.numbers[2]) {  // but for the flag's pole
      EXPECT_NEAR(piece.numbers[1], 0.45 * std::sin(3 * piece.numbers[0]) + 0.55, 1e-12);
    }
}

TEST(Drawing, ByNumberItIsTheEnvironmentsOwnInsideItsView) {
  for (const cupg::EnvironmentInfo& e : cupg::environments()) {
    cupg::with_environment(e.id, [&]<class Env>() {
      const float state[4] = {0.1f, 0.2f, 0.3f, 0.4f};
      Recorder<float> single;
      cupg::draw_environment(e.id, state, single);
      typename Env::template State<double> s;
      Env::each_field(s, [&](double& field, int i) { field = static_cast<double>(state[i]); });
      const Recorder<double> exact = drawn<Env>(s);
      ASSERT_EQ(single.shapes.size(), exact.shapes.size());
      for (std::size_t i = 0; i < exact.shapes.size(); ++i) {
        EXPECT_EQ(single.shapes[i].paint, exact.shapes[i].paint);
        ASSERT_EQ(single.shapes[i].numbers.size(), exact.shapes[i].numbers.size());
        for (std::size_t k = 0; k < exact.shapes[i].numbers.size(); ++k) {
          EXPECT_NEAR(single.shapes[i].numbers[k], exact.shapes[i].numbers[k], 2e-6) << e.name;  // a few roundings of numbers below 4
          const bool x = k % 2 == 0;
          if (k < 4) {
            EXPECT_GE(exact.shapes[i].numbers[k], x ? Env::kView.left : Env::kView.bottom) << e.name;
            EXPECT_LE(exact.shapes[i].numbers[k], x ? Env::kView.right : Env::kView.top) << e.name;
          }
        }
      }
    });
  }
}

TEST(Drawing, ANudgeChangesTheWayItIsDrawnNext) {
  cupg::CartPole::State<float> pole{0, 0, 0, 0};
  cupg::CartPole::nudge(pole, 1.0f);
  EXPECT_EQ(pole.theta_dot, 0.5f);
  cupg::MountainCar::State<float> car{-0.5f, -0.065f};
  cupg::MountainCar::nudge(car, -1.0f);
  EXPECT_EQ(car.velocity, static_cast<float>(-cupg::MountainCar::kMaxSpeed)) << "limited";
  cupg::Acrobot::State<float> links{0, 0, 0, 2};
  cupg::Acrobot::nudge(links, -1.0f);
  EXPECT_EQ(links.theta2_dot, 1.0f);
}

}  // namespace
