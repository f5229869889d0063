# What `cmake --install` puts where.  The headers keep the include paths of the
# API ("block/aio.h") below a folder of their own, which aioctl.pc names.
set(AIOCTL_PC_LIBS_PRIVATE "-pthread")
if(LIBURING_FOUND)
  string(APPEND AIOCTL_PC_LIBS_PRIVATE " -luring")
endif()
if(LIBAIO_LIBRARY AND LIBAIO_INCLUDE_DIR)
  string(APPEND AIOCTL_PC_LIBS_PRIVATE " -laio")
endif()
if(GLIB_FOUND)
  string(APPEND AIOCTL_PC_LIBS_PRIVATE " -lglib-2.0")
endif()
# A prefix given at install time wins over the configured one.
file(READ ${CMAKE_SOURCE_DIR}/cmake/aioctl.pc.in AIOCTL_PC)
string(REPLACE "@CMAKE_INSTALL_PREFIX@" "\${pcfiledir}/@AIOCTL_PC_UP@"
  AIOCTL_PC "${AIOCTL_PC}")
file(RELATIVE_PATH AIOCTL_PC_UP
  ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(CONFIGURE "${AIOCTL_PC}" AIOCTL_PC @ONLY)
file(GENERATE OUTPUT ${CMAKE_BINARY_DIR}/aioctl.pc CONTENT "${AIOCTL_PC}")

install(TARGETS aioctl_static aioctl_shared
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/src/core/include/
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/aioctl FILES_MATCHING PATTERN *.h)
install(FILES ${CMAKE_BINARY_DIR}/aioctl.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
# The pages lie as in the sources, so that their links to each other hold.
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE ${CMAKE_SOURCE_DIR}/README.md
  ${CMAKE_SOURCE_DIR}/CHANGELOG.md ${CMAKE_SOURCE_DIR}/CONTRIBUTING.md
  DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/docs ${CMAKE_SOURCE_DIR}/examples
  DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING
  PATTERN *.md PATTERN *.c PATTERN *.lua PATTERN Makefile
  PATTERN protocols EXCLUDE)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/spec/consumer
  DESTINATION ${CMAKE_INSTALL_DOCDIR}/spec)
if(AIOCTL_LUA)
  install(TARGETS aioctl RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(TARGETS aio_core_module
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/lua/5.4/aio)
  foreach(module aio_tls_module aio_edit_module)
    if(TARGET ${module})
      install(TARGETS ${module}
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/lua/5.4/aio)
    endif()
  endforeach()
  # What the build makes of the doc comments; HTML only if ./dev docs made it.
  install(DIRECTORY ${CMAKE_BINARY_DIR}/doc/man/
    DESTINATION ${CMAKE_INSTALL_MANDIR})
  install(DIRECTORY ${CMAKE_BINARY_DIR}/doc/completions/bash/
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  install(DIRECTORY ${CMAKE_BINARY_DIR}/doc/completions/zsh/
    DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
  install(DIRECTORY ${CMAKE_BINARY_DIR}/doc/completions/fish/
    DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
  install(DIRECTORY ${CMAKE_BINARY_DIR}/doc/types
    DESTINATION ${CMAKE_INSTALL_DATADIR}/aioctl)
  install(DIRECTORY ${CMAKE_BINARY_DIR}/doc/ldoc/html
    DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)
  install(DIRECTORY ${CMAKE_SOURCE_DIR}/scripts/aio
    DESTINATION ${CMAKE_INSTALL_DATADIR}/lua/5.4 FILES_MATCHING PATTERN *.lua)
endif()
