# Build options, and the interface target aioctl_flags that carries them.
option(AIOCTL_LUA "build the Lua host and the module aio.core" ON)
option(AIOCTL_STATIC_LUA "the host contains Lua where there is an archive" ON)
option(AIOCTL_BENCH "build the benchmarks" OFF)
option(AIOCTL_GLIB "GSource integration (needs GLib at build time)" ON)
option(AIOCTL_DCHECK "costly invariant checks" OFF)
option(AIOCTL_WERROR "warnings are errors" OFF)
option(AIOCTL_LTO "optimise the host and the libraries across files" OFF)
option(AIOCTL_COVERAGE "instrument for gcov" OFF)
set(AIOCTL_SANITIZE "" CACHE STRING "address,undefined or thread")
set(AIOCTL_COROUTINE "asm" CACHE STRING "asm (where there is one) or ucontext")

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_C_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

add_library(aioctl_flags INTERFACE)
target_compile_options(aioctl_flags INTERFACE
  -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
  -Wno-unused-parameter -fno-strict-aliasing -fno-omit-frame-pointer
  $<$<BOOL:${AIOCTL_WERROR}>:-Werror>)
target_compile_definitions(aioctl_flags INTERFACE
  _GNU_SOURCE $<$<BOOL:${AIOCTL_DCHECK}>:AIOCTL_DCHECK>)
if(AIOCTL_SANITIZE)
  target_compile_options(aioctl_flags INTERFACE -fsanitize=${AIOCTL_SANITIZE})
  target_link_options(aioctl_flags INTERFACE -fsanitize=${AIOCTL_SANITIZE})
endif()
if(AIOCTL_COVERAGE)
  target_compile_options(aioctl_flags INTERFACE
    --coverage -fprofile-update=atomic)
  target_compile_definitions(aioctl_flags INTERFACE AIOCTL_COVERAGE)
  target_link_options(aioctl_flags INTERFACE --coverage)
endif()

# Objects hold machine code too, so that any linker can use the archive, and
# tests link without the cost.  aioctl_optimise_link(TARGET) is for what ships.
if(AIOCTL_LTO)
  target_compile_options(aioctl_flags INTERFACE -flto=auto -ffat-lto-objects)
endif()
function(aioctl_optimise_link target)
  if(AIOCTL_LTO)
    target_link_options(${target} PRIVATE -flto=auto)
  endif()
endfunction()
