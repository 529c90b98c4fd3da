// Where nvcc puts PTX: a header of 16 bytes (magic, version, its own size, size of what follows), then entries of a header and contents.
#include <gtest/gtest.h>

#if __has_include(<fatbinary_section.h>)
#include <fatbinary_section.h>

#include <cstring>

#include "tests/ptx/faults.hpp"
#include "tests/ptx/machine/runtime/fat_binary.hpp"

namespace cupg_test {
namespace {

using ptx::u16, ptx::u32, ptx::u64, ptx::u8;

constexpr u16 kPtxEntry = 1, kMachineCode = 2;

template <class T>
void put(std::vector<u8>& bytes, T value) {
  const auto* from = reinterpret_cast<const u8*>(&value);
  bytes.insert(bytes.end(), from, from + sizeof value);
}

/// An entry: kind, version, size of its header (64 bytes), size of its contents, what cuobjdump does not need here.
std::vector<u8> entry(u16 kind, const std::string& contents, u32 head = 64) {
  std::vector<u8> bytes;
  put(bytes, kind);
  put(bytes, u16{0x101});
  put(bytes, head);
  put(bytes, u64{contents.size()});
  bytes.resize(64, 0);
  bytes.insert(bytes.end(), contents.begin(), contents.end());
  return bytes;
}

class Binary {
 public:
  explicit Binary(std::initializer_list<std::vector<u8>> entries, u32 magic = 0xBA55ED50u) {
    std::vector<u8> all;
    for (const auto& e : entries) all.insert(all.end(), e.begin(), e.end());
    put(bytes_, magic);
    put(bytes_, u16{1});
    put(bytes_, u16{16});
    put(bytes_, u64{all.size()});
    bytes_.insert(bytes_.end(), all.begin(), all.end());
    words_.resize(bytes_.size() / 8 + 1);
    std::memcpy(words_.data(), bytes_.data(), bytes_.size());
    wrapper_ = {FATBINC_MAGIC, FATBINC_VERSION, words_.data(), nullptr};
  }
  std::vector<std::string_view> texts() const { return ptx::ptx_of(&wrapper_); }

 private:
  std::vector<u8> bytes_;
  std::vector<unsigned long long> words_;
  __fatBinC_Wrapper_t wrapper_{};
};

TEST(PtxFatBinary, AllItsPtxIsFoundAndNothingElse) {
  const std::string one = ".version 9.0\n.target sm_90\n", two = ".version 9.0\n.target sm_80\n";
  const Binary binary{entry(kMachineCode, "machine code"), entry(kPtxEntry, one), entry(kMachineCode, ""), entry(kPtxEntry, two)};
  EXPECT_EQ(binary.texts(), (std::vector<std::string_view>{one, two}));
  EXPECT_TRUE(Binary{entry(kMachineCode, "machine code")}.texts().empty());
  EXPECT_TRUE(Binary{}.texts().empty());
}

TEST(PtxFatBinary, WhatIsNoneIsAnError) {
  expect_has(fault_of([] { Binary({entry(kPtxEntry, ".version 9.0")}, 0x464c457f).texts(); }), {"not a fat binary"});
}

TEST(PtxFatBinary, CompressedPtxIsAnErrorThatTellsTheOption) {
  expect_has(fault_of([] { Binary{entry(kPtxEntry, "\x28\xb5\x2f\xfd compressed")}.texts(); }), {"compressed PTX", "--no-compress"});
}

TEST(PtxFatBinary, EntriesThatDoNotFitAreAnError) {
  for (const u32 head : {0u, 80u, 0xffffffffu})
    expect_has(fault_of([&] { Binary{entry(kPtxEntry, ".version 9.0", head)}.texts(); }), {"entries do not fit it"});
  for (const u64 size : {u64{13}, u64{1} << 40, ~u64{0}}) {
    std::vector<u8> damaged = entry(kPtxEntry, ".version 9.0");
    std::memcpy(damaged.data() + 8, &size, sizeof size);
    expect_has(fault_of([&] { Binary{damaged}.texts(); }), {"entries do not fit it"});
  }
}

}  // namespace
}  // namespace cupg_test
#else
TEST(PtxFatBinary, NeedsAHeaderOfTheToolkit) { GTEST_SKIP() << "no fatbinary_section.h"; }
#endif
