# Installs the command, the static library, its headers and a package for find_package(cupg). Dependencies that are used
# header-only inside (Highway, fmt, toml++, nlohmann_json) are not needed to use the package.
include(CMakePackageConfigHelpers)
set(destination ${CMAKE_INSTALL_LIBDIR}/cmake/cupg)

install(TARGETS cupg cupg_numerics EXPORT cupg)
install(TARGETS cupg_cli)
if(TARGET cupg_cuda)
  install(TARGETS cupg_cuda LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/cupg)
endif()
if(TARGET cupg_gradcheck)
  install(TARGETS cupg_gradcheck RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/cupg)
endif()
foreach(plugin IN ITEMS cupg_openblas cupg_cublas cupg_gif cupg_mpi)
  if(TARGET ${plugin})
    install(TARGETS ${plugin} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/cupg)
  endif()
endforeach()
install(DIRECTORY include/cupg DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
# What cupg_add_objectives compiles in a user's project: lane-generic headers, the sources around them, and the CUDA plug-in's.
set(kernel_sources ${CMAKE_INSTALL_DATADIR}/cupg)
foreach(folder IN ITEMS kernels objectives envs)
  install(DIRECTORY ${folder} DESTINATION ${kernel_sources}
    FILES_MATCHING PATTERN "*.hpp" PATTERN "*.h" PATTERN "*.cuh" PATTERN "*.cu" PATTERN "simt" EXCLUDE)
endforeach()
install(DIRECTORY src/engine DESTINATION ${kernel_sources}/src
  FILES_MATCHING PATTERN "*.hpp" PATTERN "cuda_*.cuh" PATTERN "device_gemm.cuh" PATTERN "cuda_plugin.cu" PATTERN "objective_*.cpp")
install(FILES cmake/CupgObjectives.cmake cmake/CupgIsa.cmake DESTINATION ${destination})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(EXPORT cupg NAMESPACE cupg:: FILE cupg-targets.cmake DESTINATION ${destination})

set(CUPG_PLUGIN_FOLDER ${CMAKE_INSTALL_LIBDIR}/cupg)
configure_package_config_file(cmake/cupg-config.cmake.in cupg-config.cmake INSTALL_DESTINATION ${destination} PATH_VARS CUPG_PLUGIN_FOLDER)
write_basic_package_version_file(cupg-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/cupg-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/cupg-config-version.cmake
  DESTINATION ${destination})
