# What is made of the doc comments and of the options that commands declare:
# data for `aioctl help`, types for editors, manual pages, completions, and
# (target html, where there is LDoc) HTML.  A stock Lua does it, so that aioctl
# can have the data inside.
find_program(LUA_PROGRAM NAMES lua5.4 lua54 lua)
if(LUA_PROGRAM)
  execute_process(COMMAND ${LUA_PROGRAM} -e "print(_VERSION)"
    OUTPUT_VARIABLE LUA_PROGRAM_VERSION OUTPUT_STRIP_TRAILING_WHITESPACE)
endif()
if(NOT LUA_PROGRAM_VERSION STREQUAL "Lua 5.4")
  message(FATAL_ERROR "the interpreter of Lua 5.4 is needed to build the "
    "documentation (Debian: apt install lua5.4), found: '${LUA_PROGRAM}' "
    "${LUA_PROGRAM_VERSION}")
endif()

set(AIOCTL_DOC_DIR ${CMAKE_BINARY_DIR}/doc)
set(AIOCTL_DOC_DATA ${AIOCTL_DOC_DIR}/embed/aio/doc/data.lua)
file(GLOB DOC_SOURCES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/cmake/doc/*.lua
  ${CMAKE_SOURCE_DIR}/docs/aioctl.1
  ${CMAKE_SOURCE_DIR}/docs/lua-api.md ${CMAKE_SOURCE_DIR}/docs/api/*.md)
add_custom_command(OUTPUT ${AIOCTL_DOC_DATA}
  COMMAND ${LUA_PROGRAM} ${CMAKE_SOURCE_DIR}/cmake/doc/build.lua
          ${CMAKE_SOURCE_DIR} ${AIOCTL_DOC_DIR}
  DEPENDS ${DOC_SOURCES} ${BINDING_SOURCES} ${HOST_SOURCES} ${SCRIPTS}
          ${CMAKE_SOURCE_DIR}/CMakeLists.txt
  COMMENT "Reading doc comments" VERBATIM)

find_program(LDOC_PROGRAM ldoc)
if(LDOC_PROGRAM)
  add_custom_target(html
    COMMAND ${CMAKE_COMMAND} -E rm -rf html
    COMMAND ${LDOC_PROGRAM} -q .
    DEPENDS ${AIOCTL_DOC_DATA}
    WORKING_DIRECTORY ${AIOCTL_DOC_DIR}/ldoc
    COMMENT "Writing ${AIOCTL_DOC_DIR}/ldoc/html" VERBATIM)
endif()
