# gproxy_add_module(<target> SOURCES files... [FOLDER modules|examples|broken|frozen] [OUTPUT name]
#                   [STATIC_NAME name] [STANDALONE])
#
# Builds a loadable provider module the way it must be built to be unloadable and to leak no symbol:
# hidden visibility, the version script that exports gproxy_entry_1 alone, no undefined symbols, no
# GNU-unique symbols (which would pin the library and make a hot reload keep the old code forever).
# With STATIC_NAME it also defines <target>_static, an archive of the same sources whose entry is
# called gproxy_entry_1_<name>, so that tests can link the module under sanitizers.
# STANDALONE: the module brings its own copy of the ABI headers.
# Without SOURCES, every .c and .cc of the current folder is taken.
include_guard(GLOBAL)

# Installed, the version script lies beside this file.
if(EXISTS ${CMAKE_CURRENT_LIST_DIR}/module.map)
  set(GPROXY_MODULE_MAP ${CMAKE_CURRENT_LIST_DIR}/module.map CACHE INTERNAL "")
else()
  get_filename_component(gproxy_module_map ${CMAKE_CURRENT_LIST_DIR}/../abi/module.map ABSOLUTE)
  set(GPROXY_MODULE_MAP ${gproxy_module_map} CACHE INTERNAL "")
endif()

if(TARGET gproxy::sdk_cpp)
  set(GPROXY_SDK_TARGET gproxy::sdk_cpp CACHE INTERNAL "")
else()
  set(GPROXY_SDK_TARGET gproxy_sdk_cpp CACHE INTERNAL "")
endif()

function(gproxy_add_module target)
  cmake_parse_arguments(M "STANDALONE" "FOLDER;OUTPUT;STATIC_NAME" "SOURCES" ${ARGN})
  if(NOT M_FOLDER)
    set(M_FOLDER modules)
  endif()
  if(NOT M_OUTPUT)
    set(M_OUTPUT ${target})
  endif()
  if(NOT M_SOURCES)
    file(GLOB M_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  endif()

  add_library(${target} MODULE ${M_SOURCES})
  if(NOT M_STANDALONE)
    target_link_libraries(${target} PRIVATE ${GPROXY_SDK_TARGET})
  endif()
  set_target_properties(${target} PROPERTIES
    PREFIX "" SUFFIX ".so" OUTPUT_NAME ${M_OUTPUT}
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib/gproxy/${M_FOLDER}
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    LINK_DEPENDS ${GPROXY_MODULE_MAP})
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fno-gnu-unique>)
  target_link_options(${target} PRIVATE -Wl,--version-script=${GPROXY_MODULE_MAP})
  if(NOT GPROXY_SANITIZE)  # the sanitizers' run-time is found in the executable
    target_link_options(${target} PRIVATE -Wl,-z,defs)
  endif()
  if(COMMAND gproxy_flags)
    gproxy_flags(${target})
  endif()

  if(M_STATIC_NAME)
    add_library(${target}_static STATIC EXCLUDE_FROM_ALL ${M_SOURCES})
    target_link_libraries(${target}_static PUBLIC ${GPROXY_SDK_TARGET})
    target_compile_definitions(${target}_static PRIVATE GPROXY_STATIC_MODULE=${M_STATIC_NAME})
    set_target_properties(${target}_static PROPERTIES
      C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
    if(COMMAND gproxy_flags)
      gproxy_flags(${target}_static)
    endif()
  endif()
endfunction()
