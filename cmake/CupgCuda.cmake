# The CUDA plug-in's compiler, where there is one. CUPG_CUDA: AUTO takes nvcc where it is found and says what it chose; ON makes its
# absence an error; OFF leaves the plug-in out. The oldest toolkit that compiles C++20 is 12.0.
set(CUPG_CUDA AUTO CACHE STRING "Build libcupg_cuda.so: AUTO, ON or OFF")
set_property(CACHE CUPG_CUDA PROPERTY STRINGS AUTO ON OFF)
set(CUPG_HAVE_CUDA OFF)
if(NOT CUPG_CUDA MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "CUPG_CUDA is \"${CUPG_CUDA}\"; expected AUTO, ON or OFF")
endif()
if(CUPG_CUDA STREQUAL OFF)
  return()
endif()

# Must be set before the language is enabled: CMake 3.25's own default is older than CUDA 13's oldest.
if(NOT CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES all-major CACHE STRING "Devices that the kernels are compiled for; all-major adds PTX for newer ones")
endif()
include(CheckLanguage)
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  if(CUPG_CUDA STREQUAL ON)
    message(FATAL_ERROR "CUPG_CUDA is ON, but there is no CUDA compiler; put nvcc into PATH or name it in CUDACXX")
  endif()
  message(STATUS "CUDA: no nvcc; the plug-in for NVIDIA GPUs is left out")
  return()
endif()
enable_language(CUDA)
if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 12.0)
  message(FATAL_ERROR "CUDA ${CMAKE_CUDA_COMPILER_VERSION} is too old; expected 12.0 or newer (C++20), or -DCUPG_CUDA=OFF")
endif()
# CMake 3.25 does not know that newer compilers take this
set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
set(CMAKE_CUDA_STANDARD 20)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
set(CMAKE_CUDA_RUNTIME_LIBRARY Static)
set(CUPG_HAVE_CUDA ON)
message(STATUS "CUDA ${CMAKE_CUDA_COMPILER_VERSION}: the plug-in is compiled for ${CMAKE_CUDA_ARCHITECTURES}")

# What device code is compiled with: nothing contracted on either side; division and root round to nearest, denormals stay
# (nvcc's defaults). The target's name keeps its symbols apart from the CPU's.
add_library(cupg_cuda_options INTERFACE)
target_compile_definitions(cupg_cuda_options INTERFACE CUPG_TARGET=cuda CUPG_THREAD_LANES)
set(cupg_host_options -ffp-contract=off,-fno-math-errno,-fno-trapping-math,-Wall,-Wextra)
if(CUPG_WARNINGS_AS_ERRORS)
  set(cupg_werror --Werror=all-warnings)
endif()
target_compile_options(cupg_cuda_options INTERFACE
  $<$<COMPILE_LANGUAGE:CUDA>:--fmad=false ${cupg_werror} -Xcompiler=${cupg_host_options}>)
target_include_directories(cupg_cuda_options INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)

# What nvcc leaves of its way to an object, PTX among it (tests/ptx).
set(CUPG_PTX_FOLDER ${CMAKE_BINARY_DIR}/cuda/keep)

# cmake/cuda_limits.txt was set with CUDA 13.0. Other toolkits allocate registers otherwise: ptxas 12.0 and 12.6 take 71 for collect_kernel,
# where 64 are allowed. That makes a kernel slower and not wrong, so there, and where warnings are no errors, it is a note.
set(CUPG_CUDA_ENFORCE_LIMITS OFF)
if(CUPG_WARNINGS_AS_ERRORS AND CMAKE_CUDA_COMPILER_VERSION MATCHES "^13\\.0(\\.|$)")
  set(CUPG_CUDA_ENFORCE_LIMITS ON)
endif()

# cupg_report_resources(TARGET OBJECTS): registers, spills and shared memory of every kernel of the target, whose objects the library OBJECTS
# compiles; written beside the target, and held against cmake/cuda_limits.txt.
function(cupg_report_resources target objects)
  set(folder ${CMAKE_BINARY_DIR}/cuda/${target})
  set_target_properties(${objects} PROPERTIES RULE_LAUNCH_COMPILE "${PROJECT_SOURCE_DIR}/cmake/with_resources ${folder}")
  file(MAKE_DIRECTORY ${CUPG_PTX_FOLDER})
  target_compile_options(${objects} PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:--resource-usage --keep --keep-dir=${CUPG_PTX_FOLDER}>)
  add_custom_command(TARGET ${target} POST_BUILD
    COMMAND ${CMAKE_COMMAND} -DFOLDER=${folder} -DREPORT=${folder}.resources.txt -DLIMITS=${PROJECT_SOURCE_DIR}/cmake/cuda_limits.txt
            -DENFORCE=${CUPG_CUDA_ENFORCE_LIMITS} -P ${PROJECT_SOURCE_DIR}/cmake/CheckCudaResources.cmake
    VERBATIM)
endfunction()
