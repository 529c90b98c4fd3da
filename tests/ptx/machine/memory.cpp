#include "tests/ptx/machine/memory.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <system_error>

namespace ptx {
namespace {

constexpr std::size_t kAddresses = std::size_t{64} << 30;  // only what is written takes memory
constexpr std::size_t kAlignment = 256;                    // cudaMalloc's
constexpr int kPoison = 0xA5;

u8* map(int protection, int flags, int file) {
  void* const p = mmap(nullptr, kAddresses, protection, flags | MAP_NORESERVE, file, 0);
  if (p == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "PTX machine: mmap");
  return static_cast<u8*>(p);
}

}  // namespace

AddressSpace::AddressSpace() {
  const int file = memfd_create("ptx-machine", 0);
  if (file < 0 || ftruncate(file, static_cast<off_t>(kAddresses)) != 0)
    throw std::system_error(errno, std::generic_category(), "PTX machine: memfd_create");
  shadow_ = map(PROT_READ | PROT_WRITE, MAP_SHARED, file);
  device_ = map(PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  close(file);
}

AddressSpace::~AddressSpace() {
  munmap(shadow_, kAddresses);
  munmap(device_, kAddresses);
}

u64 AddressSpace::allocate(std::size_t bytes, int device) {
  const std::size_t taken = round_up(bytes, kAlignment) + kAlignment;
  if (bytes > kAddresses || taken > kAddresses - used_) return 0;
  const u64 begin = reinterpret_cast<u64>(device_ + used_);
  std::memset(shadow_ + used_, kPoison, bytes);
  used_ += taken;
  allocations_[begin] = {begin, begin + bytes, shadow_ - device_, false, device};
  ++generation_;
  return begin;
}

bool AddressSpace::release(u64 begin) {
  const auto found = allocations_.find(begin);
  if (found == allocations_.end() || found->second.pinned) return false;
  // whole pages of it go back to the system
  constexpr u64 kPage = 4096;
  const u64 from = round_up(begin, kPage), to = found->second.end / kPage * kPage;
  if (to > from) madvise(reinterpret_cast<u8*>(from + static_cast<u64>(found->second.to_host)), to - from, MADV_REMOVE);
  allocations_.erase(found);
  ++generation_;
  return true;
}

void AddressSpace::pin(void* begin, std::size_t bytes) {
  const u64 at = reinterpret_cast<u64>(begin);
  allocations_[at] = {at, at + bytes, 0, true, -1};
  ++generation_;
}

void AddressSpace::unpin(void* begin) {
  allocations_.erase(reinterpret_cast<u64>(begin));
  ++generation_;
}

const Allocation* AddressSpace::find(u64 address) const {
  auto behind = allocations_.upper_bound(address);
  if (behind == allocations_.begin()) return nullptr;
  --behind;
  return address < behind->second.end ? &behind->second : nullptr;
}

u8* AddressSpace::host_pointer(u64 address, std::size_t bytes) const {
  const Allocation* const a = find(address);
  if (a == nullptr || bytes > a->end - address) return nullptr;
  return reinterpret_cast<u8*>(address + static_cast<u64>(a->to_host));
}

bool AddressSpace::is_device(u64 address) const {
  const u64 begin = reinterpret_cast<u64>(device_);
  return address >= begin && address < begin + kAddresses;
}

std::string AddressSpace::describe(u64 address, std::size_t bytes) const {
  auto behind = allocations_.upper_bound(address);
  if (behind == allocations_.begin()) return is_device(address) ? "no allocation is near" : "not an address of a device";
  const Allocation& before = std::prev(behind)->second;
  if (!is_device(address) && !before.pinned) return "not an address of a device";
  return std::to_string(address + bytes - before.end) + " bytes past the end of an allocation of " +
         std::to_string(before.end - before.begin);
}

std::size_t AddressSpace::bytes_of(int device) const {
  std::size_t bytes = 0;
  for (const auto& [begin, a] : allocations_)
    if (a.device == device) bytes += a.end - a.begin;
  return bytes;
}

}  // namespace ptx
