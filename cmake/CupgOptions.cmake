# Compiler options that the numerics contract needs (docs/reproducibility.md). Header-only parts are compiled by users too, so
# they travel with the target.
add_library(cupg_numerics INTERFACE)
add_library(cupg::numerics ALIAS cupg_numerics)
set_target_properties(cupg_numerics PROPERTIES EXPORT_NAME numerics)
target_compile_options(cupg_numerics INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-ffp-contract=off -fno-math-errno -fno-trapping-math>)

# Warnings, for our own code only.
add_library(cupg_warnings INTERFACE)
target_compile_options(cupg_warnings INTERFACE -Wall -Wextra -Wshadow -Wconversion -Wdouble-promotion
  # | and & on masks, which are bool where a lane is one float, mean to evaluate both sides
  $<$<CXX_COMPILER_ID:Clang>:-Wno-bitwise-instead-of-logical>)
if(CUPG_WARNINGS_AS_ERRORS)
  target_compile_options(cupg_warnings INTERFACE -Werror)
endif()

# Sanitizers, for everything that is compiled here.
set(CUPG_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize= takes them: address,undefined or thread")
if(CUPG_SANITIZE)
  add_compile_options(-fsanitize=${CUPG_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${CUPG_SANITIZE})
endif()

# Sources that neither compute nor wait for what computes, but read, write and format: a third less to compile.
set(cupg_words_options $<$<CONFIG:Release>:-O1>)

# Hardening of what reads files, arguments and the environment, in optimized builds without sanitizers, which see more. It costs nothing:
# 13.9 M instructions an update of 2,048 x 32 as before (valgrind --tool=cachegrind). The ISA targets of the kernels read none of these and go
# without.
add_library(cupg_hardened INTERFACE)
if(NOT CUPG_SANITIZE)
  target_compile_options(cupg_hardened INTERFACE "$<$<AND:$<NOT:$<CONFIG:Debug>>,$<COMPILE_LANGUAGE:CXX>>:-fstack-protector-strong;-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=3;-D_GLIBCXX_ASSERTIONS>")
  target_link_options(cupg_hardened INTERFACE LINKER:-z,relro,-z,now)
endif()

# fmt, whose code src/api/fmt.cpp compiles once where it knows that version's; with others it is header-only. Not fmt's own library: nothing of
# it is needed to link cupg.
find_package(fmt REQUIRED)
add_library(cupg_fmt INTERFACE)
if(fmt_VERSION VERSION_GREATER_EQUAL 9.1 AND fmt_VERSION VERSION_LESS 10)
  set(CUPG_FMT_SOURCES ${PROJECT_SOURCE_DIR}/src/api/fmt.cpp)
  target_include_directories(cupg_fmt SYSTEM INTERFACE $<TARGET_PROPERTY:fmt::fmt-header-only,INTERFACE_INCLUDE_DIRECTORIES>)
  target_compile_definitions(cupg_fmt INTERFACE "FMT_BEGIN_NAMESPACE=namespace fmt { inline namespace cupg_v9 {" "FMT_END_NAMESPACE=}}")
else()
  target_link_libraries(cupg_fmt INTERFACE fmt::fmt-header-only)
endif()

# Precompiled headers, of sources that are no kernels (src/engine/cgroups.cpp: 1.3 s of processor time without, .5 s with). ccache keeps
# nothing that is compiled with one (unless its own settings allow it), so where it serves they are left out.
set(precompile ON)
if(CMAKE_CXX_COMPILER_LAUNCHER MATCHES ccache)
  set(precompile OFF)
endif()
option(CUPG_PRECOMPILE "Precompile the headers of other projects that most sources include" ${precompile})

# cupg_precompile(TARGET HEADER...): they are read before each source of the target, which still includes what it uses.
function(cupg_precompile target)
  if(CUPG_PRECOMPILE)
    target_precompile_headers(${target} PRIVATE ${ARGN})
  endif()
endfunction()

option(CUPG_FUZZ "Build the fuzz targets for libFuzzer; CUPG_SANITIZE needs fuzzer-no-link then" OFF)

include(CupgIsa)

# cupg_emulated_options(TARGET): its sources hold CUDA kernels and are compiled as the target `emulated`, for the host executor. With fma
# instructions where this machine has them: a call of libm for each fma takes longer than everything else.
function(cupg_emulated_options target)
  if(NOT DEFINED CUPG_BUILDER_HAS_FMA AND NOT CMAKE_CROSSCOMPILING)
    include(CheckCXXSourceRuns)
    set(CMAKE_REQUIRED_QUIET ON)
    check_cxx_source_runs("int main() { return __builtin_cpu_supports(\"fma\") ? 0 : 1; }" CUPG_BUILDER_HAS_FMA)
  endif()
  target_compile_definitions(${target} PRIVATE CUPG_TARGET=emulated CUPG_THREAD_LANES)
  set(options -O2)
  if(CUPG_SANITIZE)
    set(options -O1)
  endif()
  if(CUPG_BUILDER_HAS_FMA)
    list(APPEND options -mfma)
  endif()
  target_compile_options(${target} PRIVATE ${options})
endfunction()

# cupg_add_isa(TARGET ISA SOURCE...): the sources as an OBJECT library for the instruction set ISA.
function(cupg_add_isa target isa)
  add_library(${target} OBJECT ${ARGN})
  cupg_isa_options(options ${isa})
  target_compile_options(${target} PRIVATE ${options})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
  target_link_libraries(${target} PRIVATE cupg_numerics cupg_warnings hwy::hwy)
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  set_property(GLOBAL APPEND PROPERTY CUPG_OBJECTS_OF_${isa} ${target})
endfunction()

# The instruction sets that this build has.
set(CUPG_ISAS generic)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  list(APPEND CUPG_ISAS scalar_fma avx2 avx512)
endif()
