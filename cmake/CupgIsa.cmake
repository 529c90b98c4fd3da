# cupg_isa_options(VARIABLE ISA): options that compile a source as target ISA of the kernels. Debian's Highway 1.0.3 picks a
# narrower vector than asked for unless HWY_DISABLE_PCLMUL_AES is defined; simd.hpp asserts the width. Always optimized: the
# lane wrappers are hopeless without inlining, in debug builds too.
function(cupg_isa_options variable isa)
  set(options -DCUPG_TARGET=${isa})
  if(CUPG_SANITIZE)
    list(APPEND options -O2)
    if(CUPG_SANITIZE MATCHES address)
      list(APPEND options -fno-sanitize-address-use-after-scope)  # half the time to compile
    endif()
    if(isa MATCHES avx)  # with UBSan g++ 12 compiles a vector target for a minute, clang 14 for many; the scalar ones are the same source
      list(APPEND options -fno-sanitize=undefined)
    endif()
  else()
    list(APPEND options -O3)
  endif()
  if(isa STREQUAL scalar_fma)
    list(APPEND options -mfma)
  elseif(isa STREQUAL avx2)
    list(APPEND options -march=x86-64-v3 -DHWY_DISABLE_PCLMUL_AES -DCUPG_VECTOR_FLOATS=8)
  elseif(isa STREQUAL avx512)
    list(APPEND options -march=x86-64-v4 -DHWY_DISABLE_PCLMUL_AES -DCUPG_VECTOR_FLOATS=16)
  endif()
  set(${variable} ${options} PARENT_SCOPE)
endfunction()
