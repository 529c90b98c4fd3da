// Runs PTX that a test wrote, on the interpreter alone.
#pragma once
#include <cstring>
#include <string>
#include <vector>

#include "tests/ptx/machine/launch.hpp"

namespace cupg_test {

/// One module on device 0 of a machine of its own.
class Ptx {
 public:
  explicit Ptx(const std::string& text, std::uint64_t seed = 0)
      : schedule_(seed), module_(ptx::parse_module(".version 9.0\n.target sm_90\n.address_size 64\n" + text), memory_, 0) {}

  ptx::AddressSpace& memory() { return memory_; }
  const ptx::Statistics& statistics() const { return statistics_; }

  /// An array in device memory with these values; its address.
  template <class T>
  ptx::u64 array(const std::vector<T>& values) {
    const ptx::u64 at = memory_.allocate(values.size() * sizeof(T), 0);
    std::memcpy(memory_.host_pointer(at, values.size() * sizeof(T)), values.data(), values.size() * sizeof(T));
    return at;
  }
  template <class T>
  std::vector<T> read(ptx::u64 at, std::size_t count) const {
    std::vector<T> values(count);
    std::memcpy(values.data(), memory_.host_pointer(at, count * sizeof(T)), count * sizeof(T));
    return values;
  }

  /// Launches `kernel` with arguments that lie as its parameters do, each of its own size. Throws ptx::Fault.
  template <class... A>
  void launch(const std::string& kernel, ptx::Dim grid, ptx::Dim block, std::size_t dynamic_shared, const A&... arguments) {
    const ptx::Function* const f = module_.find_kernel(kernel);
    if (f == nullptr) throw ptx::Fault("no kernel " + kernel);
    ptx::Launch launch{grid, block, dynamic_shared, std::vector<ptx::u8>(static_cast<std::size_t>(f->parameter_bytes()))};
    std::size_t k = 0;
    [[maybe_unused]] const auto put = [&](const void* value, std::size_t bytes) {
      const ptx::Variable& p = f->parameters.at(k++);
      if (static_cast<std::size_t>(p.bytes()) != bytes) throw ptx::Fault("an argument of another size than parameter " + p.name);
      std::memcpy(launch.parameters.data() + p.offset, value, bytes);
    };
    (put(&arguments, sizeof arguments), ...);
    ptx::run_grid(module_, *f, launch, schedule_, statistics_);
  }

 private:
  ptx::AddressSpace memory_;
  ptx::Schedule schedule_;
  ptx::Statistics statistics_;
  ptx::LoadedModule module_;
};

}  // namespace cupg_test
