# A Debian package of what `cmake --install` installs: `./dev package`.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME aioctl)
set(CPACK_PACKAGE_VENDOR aioctl)
set(CPACK_PACKAGE_CONTACT "the aioctl authors <aioctl@aioctl.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY
  "scriptable event loop for storage, with a Lua 5.4 inside")
set(CPACK_PACKAGE_DESCRIPTION
"aioctl runs Lua scripts around an AioContext event loop: bottom halves,
timers, file descriptors, coroutines, and file I/O through io_uring,
Linux AIO or threads. Tasks of a script wait like blocking code. The loop
is a C library, too, and its modules load into a stock Lua 5.4.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "lua-argparse, lua-cjson")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "libglib2.0-0, lua-busted")
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_SOURCE_DIR}/packaging/triggers)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_SOURCE_DIR}/packaging/debian.cmake)
include(CPack)
