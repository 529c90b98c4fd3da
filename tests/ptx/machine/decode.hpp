// A kernel's statements -> a program.
#pragma once
#include <map>
#include <string>

#include "tests/ptx/machine/module.hpp"
#include "tests/ptx/machine/program.hpp"

namespace ptx {

/// `globals`: the addresses of the module's variables. Throws Fault, with instruction and line, for what the machine does not know.
Program decode(const Module& module, const Function& kernel, const std::map<std::string, u64>& globals);

}  // namespace ptx
