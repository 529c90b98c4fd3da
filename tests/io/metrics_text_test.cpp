#include "src/io/metrics_text.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

namespace {

using cupg::CurvePoint;

std::vector<std::string> fields(const std::string& line) {
  std::vector<std::string> all;
  std::istringstream in(line);
  for (std::string field; std::getline(in, field, ',');) all.push_back(field);
  if (line.ends_with(",")) all.emplace_back();
  return all;
}

TEST(MetricsText, ARowAndAnObjectHaveTheSameFigures) {
  CurvePoint p{1 << 20, 0.5, 123.4567, 7, 120.25, {}};
  p.metrics = {.policy_loss = -0.015625f, .entropy = 0.6931f, .approx_kl = 1e-9f, .gradient_norm = 3.0f, .learning_rate = 0.055f};
  std::string csv, json;
  append_csv(csv, 18446744073709551615u, p);
  append_json(json, 18446744073709551615u, p);
  EXPECT_EQ(csv, "18446744073709551615,1048576,0.500000,123.457,7,120.250,2097152,-0.015625,,0.6931,1e-09,,,3,0.055\n");
  ASSERT_TRUE(json.ends_with("}\n"));
  const auto object = nlohmann::ordered_json::parse(json);
  std::string heading = cupg::metrics_heading();
  heading.pop_back();
  csv.pop_back();
  const std::vector<std::string> names = fields(heading), figures = fields(csv);
  ASSERT_EQ(names.size(), figures.size());
  ASSERT_EQ(names.size(), object.size());
  std::size_t i = 0;
  for (const auto& [name, value] : object.items()) {
    EXPECT_EQ(name, names[i]);
    if (figures[i].empty()) {
      EXPECT_TRUE(value.is_null()) << name;
    } else {
      EXPECT_EQ(value.get<double>(), std::stod(figures[i])) << name;
    }
    ++i;
  }
}

TEST(MetricsText, WhatIsNoNumberIsLeftOut) {
  CurvePoint p{1, 0, 1, 1, 1, {}};
  p.metrics.policy_loss = std::numeric_limits<float>::infinity();
  std::string csv, json;
  append_csv(csv, 1, p);
  append_json(json, 1, p);
  EXPECT_EQ(csv, "1,1,0.000000,1.000,1,1.000,,,,,,,,,\n");
  EXPECT_FALSE(nlohmann::json::parse(json, nullptr, false).is_discarded());
}

}  // namespace
