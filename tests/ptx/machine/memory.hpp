// Device memory: addresses that the host can hold but not touch, backed by a shadow that only the machine reads and writes.
#pragma once
#include <cstddef>
#include <map>
#include <optional>
#include <string>

#include "tests/ptx/machine/types.hpp"

namespace ptx {

struct Allocation {
  u64 begin = 0, end = 0;
  i64 to_host = 0;      ///< add it to an address to get the machine's own
  bool pinned = false;  ///< host memory that kernels may use; its address is the host's
  int device = 0;       ///< whose memory; of pinned memory: any device's
};

class AddressSpace {
 public:
  AddressSpace();
  ~AddressSpace();
  AddressSpace(const AddressSpace&) = delete;
  AddressSpace& operator=(const AddressSpace&) = delete;

  /// Poisoned memory at an address that was never used before, a gap behind it; 0 where no addresses are left.
  u64 allocate(std::size_t bytes, int device);
  /// Whether there was such an allocation.
  bool release(u64 begin);
  void pin(void* begin, std::size_t bytes);
  void unpin(void* begin);

  /// The allocation that an address lies in.
  const Allocation* find(u64 address) const;
  /// The machine's own pointer to `bytes` bytes, null unless one allocation has them all.
  u8* host_pointer(u64 address, std::size_t bytes) const;
  /// Whether an address belongs to a device, allocated or not.
  bool is_device(u64 address) const;
  /// Where an access went that no allocation has: what is near.
  std::string describe(u64 address, std::size_t bytes) const;

  /// Counts what makes remembered allocations wrong.
  u64 generation() const { return generation_; }
  std::size_t bytes_of(int device) const;

 private:
  std::map<u64, Allocation> allocations_;  ///< by begin
  u8* device_ = nullptr;                   ///< addresses without access
  u8* shadow_ = nullptr;
  std::size_t used_ = 0;
  u64 generation_ = 1;
};

}  // namespace ptx
