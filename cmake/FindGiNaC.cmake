# GiNaC::GiNaC, with CLN, in which it counts. Debian ships no CMake config for them.
find_path(GINAC_INCLUDE_DIR ginac/ginac.h)
find_library(GINAC_LIBRARY ginac)
find_path(CLN_INCLUDE_DIR cln/cln.h)
find_library(CLN_LIBRARY cln)
mark_as_advanced(GINAC_INCLUDE_DIR GINAC_LIBRARY CLN_INCLUDE_DIR CLN_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(GiNaC REQUIRED_VARS GINAC_LIBRARY GINAC_INCLUDE_DIR CLN_LIBRARY CLN_INCLUDE_DIR)
if(GiNaC_FOUND AND NOT TARGET GiNaC::GiNaC)
  add_library(GiNaC::GiNaC UNKNOWN IMPORTED)
  set_target_properties(GiNaC::GiNaC PROPERTIES
    IMPORTED_LOCATION ${GINAC_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES "${GINAC_INCLUDE_DIR};${CLN_INCLUDE_DIR}"
    INTERFACE_LINK_LIBRARIES ${CLN_LIBRARY})
endif()
