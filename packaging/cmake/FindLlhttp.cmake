# Finds llhttp as the target llhttp::llhttp. A system libllhttp is preferred; distributions that ship
# only the generated C files (Debian's node-llhttp: share/llhttp/{api,http,llhttp}.c) get them compiled.
find_library(Llhttp_LIBRARY NAMES llhttp)
find_path(Llhttp_INCLUDE_DIR NAMES llhttp.h PATHS /usr/share/include/llhttp PATH_SUFFIXES llhttp node)
if(Llhttp_LIBRARY AND Llhttp_INCLUDE_DIR)
  set(Llhttp_FOUND TRUE)
  if(NOT TARGET llhttp::llhttp)
    add_library(llhttp::llhttp UNKNOWN IMPORTED)
    set_target_properties(llhttp::llhttp PROPERTIES IMPORTED_LOCATION ${Llhttp_LIBRARY}
      INTERFACE_INCLUDE_DIRECTORIES ${Llhttp_INCLUDE_DIR})
  endif()
else()
  find_path(Llhttp_SOURCE_DIR NAMES llhttp.c PATHS /usr/share/llhttp /usr/share/nodejs/llhttp/src)
  include(FindPackageHandleStandardArgs)
  find_package_handle_standard_args(Llhttp REQUIRED_VARS Llhttp_SOURCE_DIR Llhttp_INCLUDE_DIR)
  if(Llhttp_FOUND AND NOT TARGET llhttp::llhttp)
    add_library(gproxy_llhttp STATIC ${Llhttp_SOURCE_DIR}/api.c ${Llhttp_SOURCE_DIR}/http.c
      ${Llhttp_SOURCE_DIR}/llhttp.c)
    target_include_directories(gproxy_llhttp SYSTEM PUBLIC ${Llhttp_INCLUDE_DIR})
    target_compile_options(gproxy_llhttp PRIVATE -w -O2)
    add_library(llhttp::llhttp ALIAS gproxy_llhttp)
  endif()
endif()
mark_as_advanced(Llhttp_LIBRARY Llhttp_INCLUDE_DIR Llhttp_SOURCE_DIR)
