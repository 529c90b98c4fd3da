// CSV files as columns of numbers.
#include "src/report/table.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "cupg/error.hpp"
#include "tests/support/message_of.hpp"

namespace cupg {
namespace {

using cupg_test::message_of;

std::vector<std::string> names_of(const std::vector<Column>& table) {
  std::vector<std::string> names;
  for (const Column& column : table) names.push_back(column.name);
  return names;
}

TEST(Table, ByHand) {
  const auto table = read_table("seed,env_steps,loss\n1,768,-0.5\n1,1536,2e-3\n", "c.csv");
  EXPECT_EQ(names_of(table), (std::vector<std::string>{"seed", "env_steps", "loss"}));
  EXPECT_EQ(table[1].values, (std::vector<double>{768, 1536}));
  EXPECT_EQ(table[2].values, (std::vector<double>{-0.5, 2e-3}));
  EXPECT_EQ(find_column(table, "loss"), &table[2]);
  EXPECT_EQ(find_column(table, "los"), nullptr);
}

TEST(Table, KeepsColumnsOfNumbersAlone) {
  const auto table = read_table("a,word,b,date\n1,x,2,3\n4,5,6,2026-11-30\n", "c.csv");
  EXPECT_EQ(names_of(table), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(table[1].values, (std::vector<double>{2, 6}));
}

TEST(Table, WhatIsNoNumberIsNotOne) {
  const auto table = read_table("x\n\nnan\nnull\n1e999\ninf\n7\r\n", "c.csv");
  ASSERT_EQ(table.size(), 1u);
  const std::vector<double>& x = table[0].values;
  ASSERT_EQ(x.size(), 6u);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(std::isnan(x[static_cast<std::size_t>(i)])) << i;
  EXPECT_TRUE(std::isinf(x[4]));
  EXPECT_EQ(x[5], 7);
}

TEST(Table, EndsWithOrWithoutANewline) {
  EXPECT_EQ(read_table("x,y\n1,2", "c.csv")[1].values, std::vector<double>{2});
  EXPECT_EQ(read_table("x,y\n", "c.csv")[1].values.size(), 0u);
  EXPECT_EQ(read_table("", "c.csv").size(), 1u);
}

TEST(Table, NamesTheLineWithOtherFields) {
  EXPECT_EQ(message_of([] { read_table("a,b\n1,2\n3\n", "c.csv"); }), "c.csv:3: 1 fields; expected 2, as the heading has");
  EXPECT_EQ(message_of([] { read_table("a\n1,2\n", "c.csv"); }), "c.csv:2: 2 fields; expected 1, as the heading has");
}

}  // namespace
}  // namespace cupg
