-- An installed tree is enough: the program, a C program that finds the library
-- by pkg-config, and the modules in a stock Lua 5.4.

local host = require "support.host"

local build = os.getenv("AIOCTL_BUILD") or host.aioctl:match("^(.*)/[^/]*$")

local PROGRAM = [[
#include <stdio.h>
#include <block/aio.h>

static void hello(void *opaque)
{
    puts("installed");
}

int main(void)
{
    AioContext *ctx = aio_context_new(NULL);

    aio_bh_schedule_oneshot(ctx, hello, NULL);
    aio_poll(ctx, false);
    aio_context_unref(ctx);
    return 0;
}
]]

local SCRIPT = [[
local aio = require "aio"
aio.run(function()
  local task = aio.spawn(function() aio.sleep(0.001) return "stock" end)
  print(task:join())
end)
]]

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

local function must(command)
  local output, status = host.run(command, 60)
  assert(status == 0, command .. "\n" .. output)
  return output
end

describe("an installed aioctl", function()
  local prefix, libdir

  setup(function()
    prefix = must("mktemp -d"):match("%S+")
    must(("cmake --install %s --prefix %s"):format(host.quote(build), prefix))
    local pc = must("find " .. prefix .. " -name aioctl.pc"):match("%S+")
    assert(pc, "no aioctl.pc was installed")
    libdir = pc:match("^(.*)/pkgconfig/")
  end)

  teardown(function()
    must("rm -r " .. prefix)
  end)

  local function compile(more)
    write(prefix .. "/program.c", PROGRAM)
    local pkg_config = ("PKG_CONFIG_PATH=%s/pkgconfig pkg-config"):format(
      libdir)
    return must(("cc -std=gnu11 -Wall -Werror -o %s/program %s/program.c "
      .. more):format(prefix, prefix, pkg_config, pkg_config))
  end

  it("compiles and runs a C program against the shared library", function()
    compile("$(%s --cflags aioctl) $(%s --libs aioctl)")
    assert.equal("installed\n",
      must("LD_LIBRARY_PATH=" .. libdir .. " " .. prefix .. "/program"))
  end)

  it("compiles and runs a C program against the archive", function()
    compile("$(%s --cflags aioctl) " .. libdir .. "/libaioctl.a "
      .. "$(%s --libs --static aioctl | sed 's/-laioctl//')")
    assert.equal("installed\n", must(prefix .. "/program"))
  end)

  it("has headers that compile one by one", function()
    local headers = host.lines(("cd %s/include/aioctl && find . -name '*.h'")
      :format(prefix))
    assert.is_true(#headers > 10)
    for _, header in ipairs(headers) do
      must(("echo '#include \"%s\"' | cc -std=gnu11 -Wall -Werror "
        .. "-D_GNU_SOURCE -I%s/include/aioctl -fsyntax-only -xc -"):format(
          header:gsub("^%./", ""), prefix))
    end
  end)

  it("runs scripts from its own prefix", function()
    write(prefix .. "/script.lua", 'print(require("aio").now() > 0)\n')
    assert.equal("true\n",
      must(("cd / && %s/bin/aioctl %s/script.lua"):format(prefix, prefix)))
  end)

  it("has a manual page, the API's page and its types", function()
    must("test -s " .. prefix .. "/share/man/man1/aioctl.1")
    must("find " .. prefix .. "/share/doc -name lua-api.md | grep -q .")
    must("test -s " .. prefix .. "/share/aioctl/types/aio/file.lua")
  end)

  it("loads into a stock Lua 5.4", function()
    write(prefix .. "/stock.lua", SCRIPT)
    assert.equal("stock\n", must(("cd / && LUA_PATH='%s/share/lua/5.4/?.lua;"
      .. "%s/share/lua/5.4/?/init.lua' LUA_CPATH='%s/lua/5.4/?.so' "
      .. "lua5.4 %s/stock.lua"):format(prefix, prefix, libdir, prefix)))
  end)
end)
