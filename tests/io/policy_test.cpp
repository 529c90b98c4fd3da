#include "cupg/policy.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "cupg/config.hpp"
#include "cupg/error.hpp"
#include "src/engine/reference.hpp"
#include "src/io/safetensors.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/scale.hpp"
#include "tests/support/shapes.hpp"

namespace cupg {
namespace {

Policy make_policy(const std::vector<int>& hidden, bool separate, bool bias, Activation activation = Activation::relu) {
  Config config;
  config.hidden = hidden;
  config.shared = !separate;
  if (separate) config.value_hidden = std::vector<int>{3};
  config.bias = bias;
  config.activation = activation;
  Policy policy{config.environment, config.network(), {}};
  const int count = parameter_count(policy.shape);
  for (int i = 0; i < count; ++i) policy.parameters.push_back(0.01f * static_cast<float>(i) - 0.2f);
  return policy;
}

/// Puts `text` in place of the header, its length adjusted.
std::string with_header(const std::string& bytes, const std::string& text) {
  std::uint64_t old_length = 0;
  std::memcpy(&old_length, bytes.data(), 8);
  const std::uint64_t length = text.size();
  std::string result(8, '\0');
  std::memcpy(result.data(), &length, 8);
  return result + text + bytes.substr(8 + old_length);
}
std::string header_of(const std::string& bytes) {
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  return bytes.substr(8, length);
}
std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

/// "" where it is read.
std::string refusal(const std::string& bytes) {
  try {
    decode_policy(bytes, "p");
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::usage);
    EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos);
    return e.what();
  }
  return "";
}

TEST(Safetensors, RoundTrip) {
  for (const bool separate : {false, true})
    for (const bool bias : {false, true})
      for (const std::vector<int>& hidden : {std::vector<int>{}, {5}, {64, 7}, {256, 65}, {3, 3, 3, 3}})
        for (const Activation activation : {Activation::relu, Activation::tanh}) {
          const Policy policy = make_policy(hidden, separate, bias, activation);
          const Policy back = decode_policy(encode_policy(policy), "p");
          EXPECT_EQ(back.environment, policy.environment);
          EXPECT_EQ(back.parameters, policy.parameters);
          EXPECT_EQ(describe(back.shape), describe(policy.shape));
          EXPECT_EQ(back.shape.policy.bias, bias);
        }
}

TEST(Safetensors, TheValueTrunksBiasIsItsOwn) {
  for (const bool bias : {false, true}) {
    Policy policy = make_policy({5}, true, bias);
    policy.shape.value.bias = !bias;
    policy.parameters.resize(static_cast<std::size_t>(parameter_count(policy.shape)));
    for (std::size_t i = 0; i < policy.parameters.size(); ++i) policy.parameters[i] = 0.01f * static_cast<float>(i);
    const std::string bytes = encode_policy(policy);
    const Policy back = decode_policy(bytes, "p");
    EXPECT_EQ(back.shape.policy.bias, bias);
    EXPECT_EQ(back.shape.value.bias, !bias);
    EXPECT_EQ(back.parameters, policy.parameters);
    EXPECT_EQ(encoded_bytes(bytes, "p"), bytes.size());
    // the tensors must be those that it says
    const std::string want = fmt::format("\"value_bias\":\"{}\"", !bias), other = fmt::format("\"value_bias\":\"{}\"", bias);
    EXPECT_NE(refusal(with_header(bytes, replaced(header_of(bytes), want, other))), "");
    EXPECT_NE(refusal(with_header(bytes, replaced(header_of(bytes), want, "\"value_bias\":true"))).find("value_bias"), std::string::npos);
    std::array<float, 2> logits{};
    float value = 0, value_back = 1;
    policy.evaluate(std::array{0.1f, 0.2f, 0.3f, 0.4f}, logits, value);
    back.evaluate(std::array{0.1f, 0.2f, 0.3f, 0.4f}, logits, value_back);
    EXPECT_EQ(value, value_back);
  }
}

TEST(Safetensors, FilesOfEarlierVersionsHaveOneBiasForBothTrunks) {
  for (const bool separate : {false, true})
    for (const bool bias : {false, true}) {
      const Policy policy = make_policy({5}, separate, bias);
      const std::string bytes = encode_policy(policy);
      const std::string old = with_header(bytes, replaced(header_of(bytes), fmt::format(",\"value_bias\":\"{}\"", bias), ""));
      const Policy back = decode_policy(old, "p");
      EXPECT_EQ(back.shape.policy.bias, bias);
      EXPECT_EQ(back.shape.value_trunk().bias, bias);
      EXPECT_EQ(back.parameters, policy.parameters);
    }
  // a shared trunk has no other
  const std::string bytes = encode_policy(make_policy({5}, false, true));
  EXPECT_NE(
      refusal(with_header(bytes, replaced(header_of(bytes), "\"value_bias\":\"true\"", "\"value_bias\":\"false\""))).find("value_bias"),
      std::string::npos);
}

TEST(Safetensors, HeaderIsAligned) {
  const std::string bytes = encode_policy(make_policy({5}, false, true));
  EXPECT_EQ(header_of(bytes).size() % 8, 0u);
  EXPECT_EQ(header_of(bytes)[0], '{');
}

/// The file as another program saves it: the keys of the header and the tensors' data in this order (of places in the layout).
std::string saved_in_order(const Policy& policy, const std::vector<std::size_t>& order, const std::string& spaces = "") {
  const std::string bytes = encode_policy(policy), old = header_of(bytes), data = bytes.substr(8 + old.size());
  const auto header = nlohmann::ordered_json::parse(old);
  const auto layout = parameter_layout(policy.shape);
  nlohmann::ordered_json next;
  std::string moved;
  for (const std::size_t i : order) {
    auto entry = header.at(layout[i].name);
    const std::size_t begin = entry["data_offsets"][0], end = entry["data_offsets"][1];
    entry["data_offsets"] = {moved.size(), moved.size() + end - begin};
    moved += data.substr(begin, end - begin);
    next[layout[i].name] = entry;
  }
  next["__metadata__"] = header["__metadata__"];
  next["__metadata__"]["note"] = "not ours";
  return with_header(bytes.substr(0, 8 + old.size()) + moved, next.dump() + spaces);
}
std::vector<std::size_t> order_of(const Policy& policy, const std::function<bool(const TensorInfo&, const TensorInfo&)>& before) {
  const auto layout = parameter_layout(policy.shape);
  std::vector<std::size_t> order(layout.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return before(layout[a], layout[b]); });
  return order;
}

// The package `safetensors` sorts tensors of one type by name.
TEST(Safetensors, AreReadInAnyOrderOfKeysAndData) {
  for (const bool separate : {false, true})
    for (const std::vector<int>& hidden : {std::vector<int>{}, {5}, {3, 3, 3, 3}}) {
      const Policy policy = make_policy(hidden, separate, true);
      for (const auto& order : {order_of(policy, [](const auto&a, const auto&b) { return a.name < b.name; }),
                                order_of(policy, [](const auto&a, const auto&b) { return a.name > b.name; }),
                                order_of(policy, [](const auto&a, const auto&b) { return a.elements() < b.elements(); })})
        for (const char* spaces : {"", " ", "       "}) {
          const std::string bytes = saved_in_order(policy, order, spaces);
          EXPECT_EQ(refusal(bytes), "");
          EXPECT_EQ(encoded_bytes(bytes, "p"), bytes.size());
          EXPECT_EQ(decode_policy(bytes, "p").parameters, policy.parameters);
        }
    }
}

// shared.hidden1.weight [2,4] 0..32, .bias [2] 32..40, policy.head.weight [2,2] 40..56, .bias [2] 56..64, value.head.weight [1,2]
// 64..72, .bias [1] 72..76
TEST(Safetensors, OffsetsTileTheData) {
  const std::string bytes = encode_policy(make_policy({2}, false, true)), header = header_of(bytes);
  const auto refused = [&](const std::string& from, const std::string& to, const char* why) {
    const std::string message = refusal(with_header(bytes, replaced(header, from, to)));
    EXPECT_NE(message.find(why), std::string::npos) << from << " -> " << to << ": " << message;
  };
  refused("[56,64]", "[32,40]", "begin at 32; expected 40");  // the other bias's bytes
  refused("[56,64]", "[55,63]", "begin at 55; expected 56");
  refused("[72,76]", "[73,77]", "begin at 73; expected 72");
  refused("[0,32]", "[76,108]", "begin at 32; expected 0");  // a hole where it was
  refused("[56,64]", "[18446744073709551608,18446744073709551615]", "data_offsets");
  refused("[56,64]", "[18446744073709551615,7]", "head.bias has unexpected data_offsets");  // 8 bytes, in a ring of 2^64
  refused("[56,64]", "[56.0,64.0]", "data_offsets");
  refused("[56,64]", "[-8,0]", "data_offsets");
  refused("[56,64]", "[56,64,64]", "data_offsets");
  refused("[56,64]", "[56]", "data_offsets");
  refused("[56,64]", "\"56,64\"", "data_offsets");
  refused("[2,4]", "[2.0,4.0]", "shape");
  // two tensors of one size may change places
  const std::string swapped = replaced(replaced(replaced(header, "[32,40]", "[]"), "[56,64]", "[32,40]"), "[]", "[56,64]");
  EXPECT_EQ(refusal(with_header(bytes, swapped)), "");
  EXPECT_NE(decode_policy(with_header(bytes, swapped), "p").parameters, decode_policy(bytes, "p").parameters);
}

TEST(Safetensors, HeadersOfManyKeysAreRefusedEarly) {
  const std::string bytes = encode_policy(make_policy({2}, false, true)), header = header_of(bytes);
  std::string entries, notes;
  for (int i = 0; i < 100'000; ++i) entries += fmt::format(",\"{}\":0", i);
  for (int i = 0; i < 4000; ++i) notes += fmt::format(",\"{}\":\"\"", i);
  const std::string many = replaced(header, "\"__metadata__\":{", "\"a\":0" + entries + ",\"__metadata__\":{");
  EXPECT_NE(refusal(with_header(bytes, many)).find("more than 4096 keys"), std::string::npos);
  const std::string noted = replaced(header, "\"format\":\"pt\"", "\"format\":\"pt\"" + notes);
  EXPECT_EQ(refusal(with_header(bytes, noted)), "");
}

TEST(Safetensors, IsSavedAndLoaded) {
  const auto path = std::filesystem::temp_directory_path() / "cupg-policy-test.safetensors";
  const Policy policy = make_policy({5}, false, true);
  save_policy(policy, path);
  save_policy(policy, path);  // over the old one
  EXPECT_EQ(load_policy(path).parameters, policy.parameters);
  std::filesystem::remove(path);
  EXPECT_THROW(load_policy(path), Error);
  EXPECT_THROW(save_policy(policy, path / "below"), Error);
}

TEST(Safetensors, LargeFilesAreReadWhereTheirHeaderSaysSo) {
  const auto path = std::filesystem::temp_directory_path() / "cupg-large-policy-test.safetensors";
  Policy policy = make_policy({2100, 2048}, false, true);  // 17 MiB
  save_policy(policy, path);
  EXPECT_EQ(load_policy(path).parameters, policy.parameters);
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 4);
  EXPECT_THROW(load_policy(path), Error);
  // 1 TiB of nothing behind a small policy's header: refused, not read
  save_policy(make_policy({5}, false, true), path);
  std::filesystem::resize_file(path, std::uintmax_t{1} << 40);
  EXPECT_THROW(load_policy(path), Error);
  std::filesystem::remove(path);
}

TEST(Safetensors, EveryTruncationIsRefused) {
  const std::string bytes = encode_policy(make_policy({3}, true, true));
  for (std::size_t length = 0; length < bytes.size(); ++length) EXPECT_NE(refusal(bytes.substr(0, length)), "") << length;
  EXPECT_NE(refusal(bytes + '\0'), "");
}

TEST(Safetensors, EveryChangedByteIsReadOrRefused) {
  const std::string bytes = encode_policy(make_policy({2}, false, true));
  for (std::size_t at = 0; at < bytes.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = bytes;
      changed[at] = static_cast<char>(changed[at] ^ (1 << bit));
      refusal(changed);
    }
  std::uint32_t state = 2024;
  const auto next = [&] { return (state = state * 1664525u + 1013904223u) >> 8; };
  const int rounds = cupg_test::scaled(20000);
  for (int round = 0; round < rounds; ++round) {
    std::string changed = bytes;
    for (std::uint32_t i = next() % 8; i < 8; ++i) changed[next() % changed.size()] = static_cast<char>(next());
    changed.resize(next() % 4 == 0 ? next() % changed.size() : changed.size());
    refusal(changed);
  }
}

TEST(Safetensors, HostileHeadersAreRefused) {
  const std::string bytes = encode_policy(make_policy({2}, false, true)), header = header_of(bytes);
  ASSERT_EQ(refusal(with_header(bytes, header)), "");
  const auto refused = [&](const std::string& text, const char* why) {
    const std::string message = refusal(with_header(bytes, text));
    EXPECT_NE(message.find(why), std::string::npos) << why << " in: " << message;
  };
  std::string huge_length = bytes;
  const std::uint64_t most = ~std::uint64_t{0};
  std::memcpy(huge_length.data(), &most, 8);
  EXPECT_NE(refusal(huge_length).find("18446744073709551615"), std::string::npos);

  refused("", "not JSON");
  refused("[]", "not a JSON object");
  refused("{}", "__metadata__");
  refused("nonsense", "not JSON");
  refused(std::string(100000, '['), "nested");
  refused("{\"a\":" + std::string(50000, '{') + "}", "not JSON");
  refused("{\"a\":{\"b\":{\"c\":{}}}}", "nested");
  refused(replaced(header, "{\"__metadata__\"", "{\"value.head.bias\":{},\"__metadata__\""), "twice");
  refused(replaced(header, "\"dtype\":\"F32\"", "\"dtype\":\"F32\",\"dtype\":\"F32\""), "twice");
  refused(replaced(header, "\"F32\"", "\"F16\""), "dtype");
  refused(replaced(header, "[2,4]", "[4,2]"), "shape");
  refused(replaced(header, "[2,4]", "[-2,-4]"), "shape");
  refused(replaced(header, "[2,4]", "[2,4,1]"), "shape");
  refused(replaced(header, "[0,32]", "[0,36]"), "data_offsets");
  refused(replaced(header, "[0,32]", "[32,0]"), "data_offsets");
  refused(replaced(header, "[0,32]", "[0,18446744073709551615]"), "data_offsets");
  refused(replaced(header, "\"shared.hidden1.weight\"", "\"other\""), "missing");
  refused(replaced(header, "{\"__metadata__\"", "{\"extra\":{},\"__metadata__\""), "entries");
  refused(replaced(header, "\"cupg\":\"1\"", "\"cupg\":\"2\""), "version");
  refused(replaced(header, "\"CartPole-v1\"", "\"Pong\""), "Pong");
  refused(replaced(header, "\"hidden\":\"2\"", "\"hidden\":\"2,\""), "hidden");
  refused(replaced(header, "\"hidden\":\"2\"", "\"hidden\":\"1000000000000\""), "hidden");
  refused(replaced(header, "\"hidden\":\"2\"", "\"hidden\":2"), "hidden");
  refused(replaced(header, "\"hidden\":\"2\"", "\"hidden\":\"4097\""), "hidden");
  std::string deep = "2";  // 33 layers
  for (int i = 0; i < 32; ++i) deep += ",2";
  refused(replaced(header, "\"hidden\":\"2\"", "\"hidden\":\"" + deep + "\""), "hidden");
  // a network far larger than the file: told by the header, before memory is taken for it
  refused(replaced(header, "\"hidden\":\"2\"", "\"hidden\":\"4096,4096,4096,4096\""), "shape");
  refused(replaced(header, "\"actions\":\"2\"", "\"actions\":\"3\""), "actions");
  refused(replaced(header, "\"relu\"", "\"gelu\""), "activation");
  refused(replaced(header, "\"shared\":\"true\"", "\"shared\":true"), "shared");
}

TEST(Safetensors, ParametersMustBeFinite) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Policy policy = make_policy({2}, false, true);
    policy.parameters[3] = bad;
    EXPECT_NE(refusal(encode_policy(policy)).find("NaN"), std::string::npos);
  }
}

// 4 -> 1 relu -> {2, 1}: h = relu(1*1 + 2*0.5 + 3*0 + 4*(-0.25) + 0.5) = 1.5; logits (2*1.5 - 1, -1*1.5 + 3) = (2, 1.5);
// value 4*1.5 + 0.25 = 6.25.
TEST(Policy, EvaluatesByHand) {
  Policy policy = make_policy({1}, false, true);
  policy.parameters = {1, 2, 3, 4, 0.5f, 2, -1, -1, 3, 4, 0.25f};
  const std::array observation{1.0f, 0.5f, 0.0f, -0.25f};
  std::array<float, 2> logits{};
  float value = 0;
  policy.evaluate(observation, logits, value);
  EXPECT_EQ(logits[0], 2.0f);
  EXPECT_EQ(logits[1], 1.5f);
  EXPECT_EQ(value, 6.25f);
  EXPECT_EQ(policy.act(observation), 0);
  policy.parameters[8] = 3.5f;  // a tie takes the lowest index
  EXPECT_EQ(policy.act(observation), 0);
  policy.parameters[8] = 3.75f;
  EXPECT_EQ(policy.act(observation), 1);
}

// Two trunks: the value's parameters lie between the policy's trunk and the heads.
TEST(Policy, SeparateTrunksAreFoundWhereTheLayoutPutsThem) {
  for (const bool bias : {false, true}) {
    Policy policy = make_policy({2}, true, bias, Activation::tanh);
    const auto tensor = [&](const std::string& name) {
      for (const TensorInfo& t : parameter_layout(policy.shape))
        if (t.name == name) return policy.parameters.data() + t.offset;
      return static_cast<float*>(nullptr);
    };
    const std::array observation{0.1f, -0.2f, 0.3f, 0.4f};
    std::array<float, 2> logits{};
    float value = 0;
    policy.evaluate(observation, logits, value);
    double expected = bias ? static_cast<double>(tensor("value.head.bias")[0]) : 0;
    for (std::size_t j = 0; j < 3; ++j) {
      double z = bias ? static_cast<double>(tensor("value.hidden1.bias")[j]) : 0;
      for (std::size_t i = 0; i < 4; ++i)
        z += static_cast<double>(tensor("value.hidden1.weight")[4 * j + i]) * static_cast<double>(observation[i]);
      expected += static_cast<double>(tensor("value.head.weight")[j]) * std::tanh(z);
    }
    EXPECT_NEAR(static_cast<double>(value), expected, 1e-6);  // float rounding of some 20 operations
    EXPECT_EQ(policy.act(observation), logits[1] > logits[0] ? 1 : 0);
  }
}

// Batches against the reference's network, one observation at a time, and against the single forms: sizes that fill no warp, every kind of
// network, two actions and more.
TEST(Policy, ABatchHasTheBitsOfEachObservationAlone) {
  std::vector<NetworkShape> shapes = cupg_test::all_structures();
  shapes.push_back(cupg_test::shared_shape({130, 66}, Activation::tanh));
  shapes.push_back(cupg_test::separate_shape({5, 6, 7}, {70}));
  const std::size_t structures = shapes.size();
  for (std::size_t s = 0; s < structures; s += 3) {
    shapes.push_back(shapes[s]);
    shapes.back().observations = 6;
    shapes.back().actions = 3 + static_cast<int>(s % 4);
  }
  for (const NetworkShape& shape : shapes) {
    SCOPED_TRACE(describe(shape));
    Policy policy{"", shape, {}};
    for (int i = 0; i < parameter_count(shape); ++i) policy.parameters.push_back(0.5f * std::sin(static_cast<float>(i * i)));
    const reference::Network<float> network(shape);
    const auto O = static_cast<std::size_t>(shape.observations), A = static_cast<std::size_t>(shape.actions);
    for (const std::size_t n : {0u, 1u, 5u, 31u, 32u, 33u, 100u}) {
      std::vector<float> observations(n * O), logits(n * A, -7.0f), values(n, -7.0f);
      std::vector<int> actions(n, -7);
      for (std::size_t i = 0; i < observations.size(); ++i) observations[i] = 2 * std::sin(static_cast<float>(3 * i));
      policy.evaluate(observations, logits, values);
      policy.act(observations, actions);
      for (std::size_t e = 0; e < n; ++e) {
        const std::span<const float> one = std::span<const float>(observations).subspan(e * O, O);
        std::vector<float> want(A), alone(A);
        float value = 0, alone_value = 0, outputs[8];
        network.forward_logits(policy.parameters.data(), one.data(), want.data(), value);
        policy.evaluate(one, alone, alone_value);
        ASSERT_EQ(want, alone);
        ASSERT_EQ(value, alone_value);
        ASSERT_TRUE(std::equal(want.begin(), want.end(), logits.begin() + static_cast<std::ptrdiff_t>(e * A))) << e << " of " << n;
        ASSERT_EQ(value, values[e]) << e << " of " << n;
        network.forward_outputs(policy.parameters.data(), one.data(), outputs, value);
        const auto greedy = A == 2 ? (outputs[0] > 0 ? 1 : 0) : std::max_element(outputs, outputs + A) - outputs;
        ASSERT_EQ(actions[e], greedy) << e << " of " << n;
        ASSERT_EQ(policy.act(one), greedy);
      }
    }
  }
}

TEST(Policy, TiesTakeTheLowestIndex) {
  for (const int actions : {2, 3, 5}) {
    NetworkShape shape = cupg_test::shared_shape({});
    shape.actions = actions;
    Policy policy{"", shape, std::vector<float>(static_cast<std::size_t>(parameter_count(shape)), 0.0f)};
    const std::vector<float> observations(8, 1.0f);
    std::vector<int> chosen(2, -7);
    policy.act(observations, chosen);
    EXPECT_EQ(chosen, (std::vector<int>{0, 0})) << actions;
    policy.parameters[static_cast<std::size_t>(4 * actions + actions - 1)] = 1;  // the bias of the last action
    policy.act(observations, chosen);
    EXPECT_EQ(chosen, (std::vector<int>{actions - 1, actions - 1})) << actions;
  }
}

TEST(Policy, RefusesBatchesOfOtherSizes) {
  const Policy policy = make_policy({2}, false, true);
  std::vector<float> observations(8), logits(4), values(2);
  std::vector<int> actions(2);
  using cupg_test::message_of;
  EXPECT_EQ(message_of([&] { policy.act(observations, actions); }), "");
  observations.resize(7);
  EXPECT_EQ(message_of([&] { policy.act(observations, actions); }), "observations: 7 numbers; expected 2 x 4");
  EXPECT_EQ(message_of([&] { policy.evaluate(observations, logits, values); }), "observations: 7 numbers; expected 2 x 4");
  observations.resize(8);
  logits.resize(3);
  EXPECT_EQ(message_of([&] { policy.evaluate(observations, logits, values); }), "logits: 3 numbers; expected 2 x 2");
  actions.resize(1);
  EXPECT_EQ(message_of([&] { policy.act(observations, actions); }), "observations: 8 numbers; expected 1 x 4");
  actions.clear();
  EXPECT_EQ(message_of([&] { policy.act(observations, actions); }), "observations: 8 numbers; expected 0 x 4");
}

TEST(Policy, RefusesWrongSizes) {
  const Policy policy = make_policy({2}, false, true);
  std::array<float, 2> logits{};
  float value = 0;
  EXPECT_THROW(policy.evaluate(std::array{1.0f}, logits, value), Error);
  EXPECT_THROW(policy.act(std::array{1.0f}), Error);
  Policy empty = policy;
  empty.parameters.clear();
  EXPECT_THROW(empty.act(std::array{1.0f, 1.0f, 1.0f, 1.0f}), Error);
}

}  // namespace
}  // namespace cupg
