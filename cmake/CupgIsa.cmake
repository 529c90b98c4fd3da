# cupg_isa_options(VARIABLE COPY): options that compile a source as the copy COPY of the kernels. Debian's Highway 1.0.3 picks a
# narrower vector than asked for unless HWY_DISABLE_PCLMUL_AES is defined; simd.hpp asserts the width. Always optimised: the
# lane wrappers are hopeless without inlining, in debug builds too.
function(cupg_isa_options variable copy)
  set(options -DCUPG_COPY=${copy})
  if(CUPG_SANITIZE)
    # g++ 12 compiles the AVX2 copy with AddressSanitizer in 16 s; with -O1 in 50 s, with the check for use after scope in 59 s
    list(APPEND options -O2)
    if(CUPG_SANITIZE MATCHES address)
      list(APPEND options -fno-sanitize-address-use-after-scope)
    endif()
    if(copy STREQUAL avx512)  # UBSan takes 28 of 39 s, and has seen the same source in the AVX2 copy
      list(APPEND options -fno-sanitize=undefined)
    endif()
  else()
    list(APPEND options -O3)
  endif()
  if(copy STREQUAL scalar_fma)
    list(APPEND options -mfma)
  elseif(copy STREQUAL avx2)
    list(APPEND options -march=x86-64-v3 -DHWY_DISABLE_PCLMUL_AES -DCUPG_VECTOR_FLOATS=8)
  elseif(copy STREQUAL avx512)
    list(APPEND options -march=x86-64-v4 -DHWY_DISABLE_PCLMUL_AES -DCUPG_VECTOR_FLOATS=16)
  endif()
  set(${variable} ${options} PARENT_SCOPE)
endfunction()
