// Where nvcc puts a program's PTX: a header, then entries of a header and contents each (fatbinary_section.h names the wrapper; the entries
// are laid out as cuobjdump reads them).
#pragma once
#include <string_view>
#include <vector>

namespace ptx {

/// The PTX texts behind the pointer that __cudaRegisterFatBinary gets. Throws Fault for what is no fat binary, and for compressed PTX.
std::vector<std::string_view> ptx_of(const void* wrapper);

}  // namespace ptx
