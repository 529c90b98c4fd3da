// What the runtime's calls share: devices, memory, kernels, streams. There is one; it is made at the first call and never destroyed.
//
//   CUPG_PTX_SCHEDULE=N   random orders of lanes, warps and blocks, from the seed N; 0: in order
//   CUPG_PTX_VERBOSE=1    a line for each launch
//   CUPG_PTX_REPORT=FILE  at the end, a line is added for every kernel that was there: file, kernel, launches, thread instructions
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "tests/ptx/machine/launch.hpp"
#include "tests/ptx/machine/runtime/device.hpp"
#include "tests/ptx/machine/runtime/stream.hpp"

namespace ptx {

struct FatBinary;

/// A kernel of a program, and what its calls have asked for, a device each.
struct Kernel {
  struct OnDevice {
    LoadedModule* module = nullptr;
    const Function* function = nullptr;  ///< null: none of the program's PTX is for the device
    i64 static_shared = 0;
    int dynamic_shared = kSharedWithoutAsking;  ///< that a launch may ask for
    bool opted_in = false;
  };
  FatBinary* binary = nullptr;
  std::string name;
  std::map<int, OnDevice> on;
  u64 launches = 0, thread_instructions = 0;
};

struct FatBinary {
  std::string file;  ///< the program or library that it lies in
  std::vector<std::string_view> texts;
  std::map<int, std::vector<std::unique_ptr<LoadedModule>>> modules;  ///< by device, loaded when a kernel of it is asked for
  std::map<const void*, std::unique_ptr<Kernel>> kernels;             ///< by the host's function
};

class Machine {
 public:
  static Machine& get();

  std::recursive_mutex mutex;
  AddressSpace memory;
  std::vector<Device> devices;
  std::vector<std::unique_ptr<FatBinary>> binaries;
  std::set<Stream*> streams;
  int graphs = 0;  ///< that were instantiated and not destroyed

  /// The calling thread's device: the first, where it has not chosen one.
  int current() const { return current_ < 0 ? 0 : current_; }
  bool chosen() const { return current_ >= 0; }
  void choose(int device) { current_ = device; }
  Device& device() { return devices[static_cast<std::size_t>(current())]; }
  Stream& null_stream();

  Kernel* find_kernel(const void* host_function);
  /// The kernel on the current device.
  Kernel::OnDevice& on_current(Kernel& kernel);

  /// Runs a kernel now. 0, or a cudaError_t.
  int run(Kernel& kernel, int device, const Launch& launch);
  /// Does what is on the stream, in order. 0, or the error that sticks.
  int drain(Stream& stream);
  void drain_device(int device);

  /// Says on standard error what a device would not tell.
  void say(const std::string& what) const;
  bool verbose() const { return verbose_; }

 private:
  Machine();
  void report() const;

  static thread_local int current_;
  std::map<int, CUstream_st> null_streams_;
  Schedule schedule_;
  Statistics statistics_;
  bool verbose_ = false, any_target_ = false;
  std::string report_file_;
};

}  // namespace ptx
