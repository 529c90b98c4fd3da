// Modules in a device's memory, and the blocks of a grid, one after the other.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/ptx/machine/memory.hpp"
#include "tests/ptx/machine/module.hpp"
#include "tests/ptx/machine/warp.hpp"

namespace ptx {

/// A module on one device: its variables have addresses, its kernels are decoded when they are first launched.
class LoadedModule {
 public:
  LoadedModule(Module module, AddressSpace& memory, int device);
  const Module& module() const { return module_; }
  AddressSpace& memory() const { return memory_; }
  int device() const { return device_; }
  /// Null where there is no such kernel.
  const Function* find_kernel(const std::string& name) const;
  const Program& program(const Function& kernel);

 private:
  const Module module_;
  AddressSpace& memory_;
  const int device_;
  std::map<std::string, u64> globals_;
  std::map<std::string, std::unique_ptr<Program>> programs_;
};

struct Launch {
  Dim grid, block;
  std::size_t dynamic_shared = 0;
  std::vector<u8> parameters;
};

/// Runs all blocks to their ends. Throws Fault.
void run_grid(LoadedModule& module, const Function& kernel, const Launch& launch, Schedule& schedule, Statistics& statistics);

}  // namespace ptx
