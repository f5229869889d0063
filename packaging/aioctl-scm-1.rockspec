rockspec_format = "3.0"
package = "aioctl"
version = "scm-1"
source = {
  url = "git+file://.", -- in a clone: luarocks make packaging/*.rockspec
}
description = {
  summary = "An AioContext event loop with tasks and storage I/O",
  detailed = [[
The modules of aioctl for a stock Lua 5.4: require "aio".run(fn) runs fn as a
task in an event loop with io_uring, Linux AIO or threads, files, sockets,
processes and threads.]],
  license = "MIT",
}
supported_platforms = { "linux" }
dependencies = { "lua >= 5.4, < 5.5" }
build = {
  type = "command",
  build_command = "cmake -S . -B build/rock -DCMAKE_BUILD_TYPE=Release " ..
    "-DBUILD_TESTING=OFF && cmake --build build/rock -j",
  install_command = "cmake --install build/rock --prefix build/rock/prefix " ..
    "&& mkdir -p $(LIBDIR) $(LUADIR) " ..
    "&& cp -R build/rock/prefix/lib/lua/5.4/aio $(LIBDIR)/ " ..
    "&& cp -R build/rock/prefix/share/lua/5.4/aio $(LUADIR)/",
}
