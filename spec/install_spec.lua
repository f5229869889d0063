-- An installed tree is enough: the program, the C examples, which find the
-- library by pkg-config, a C++ program, and the modules in a stock Lua 5.4.

local expect = require "support.expect"
local host = require "support.host"

local build = os.getenv("AIOCTL_BUILD") or host.aioctl:match("^(.*)/[^/]*$")

local PROGRAM = [[
#include <cstdio>
#include <block/aio.h>
#include <aioctl/request.h>
#include <qemu/atomic.h>
#include <qemu/queue.h>

QEMU_BUILD_BUG_ON(sizeof(int) < 4);

static int atomics()
{
    int x = 1, *p = nullptr;

    qatomic_inc(&x);
    qatomic_set(&x, MAX(x, 3));
    qatomic_cmpxchg(&p, nullptr, &x);
    qatomic_rcu_set(&p, p);
    return qatomic_cmpxchg(&x, 3, 5) == 3 && qatomic_xchg(&x, 7) == 5 &&
           *qatomic_rcu_read(&p) == 7 && qatomic_mb_read(&x) == 7;
}

struct Item {
    int value;
    QTAILQ_ENTRY(Item) next;
};

static int lists()
{
    QTAILQ_HEAD(Items, Item) items;
    Item one{}, two{}, *item;
    int sum = 0;

    one.value = 1;
    two.value = 2;
    QTAILQ_INIT(&items);
    QTAILQ_INSERT_TAIL(&items, &one, next);
    QTAILQ_INSERT_HEAD(&items, &two, next);
    QTAILQ_FOREACH_REVERSE(item, &items, next) {
        sum = sum * 10 + item->value;
    }
    return sum == 12;
}

int main()
{
    AioContext *ctx = aio_context_new(nullptr);
    int runs = 0;
    auto count = [](void *opaque) { ++*static_cast<int *>(opaque); };
    QEMUBH *bh = aio_bh_new_full(ctx, count, &runs, "count");

    qemu_bh_schedule(bh);
    aio_poll(ctx, false);
    qemu_bh_delete(bh);
    aio_context_unref(ctx);
    std::printf("%d %d %d\n", runs, atomics(), lists());
}
]]

local SCRIPT = [[
local aio = require "aio"
aio.run(function()
  local task = aio.spawn(function() aio.sleep(0.001) return "stock" end)
  print(task:join())
end)
]]

-- Is GLib in the library?  Nothing but GSource glue calls g_source_new().
local has_glib = host.run("nm -D " .. host.quote(build) .. "/libaioctl.so")
  :find("g_source_new", 1, true) ~= nil

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

  local function with_library(command)
    return ("export PKG_CONFIG_PATH=%s/pkgconfig LD_LIBRARY_PATH=%s; "):format(
      libdir, libdir) .. command
  end

  -- The lines " *   text" after " * Output:" at the top of a C example.
  local function documented_output(source)
    local lines = {}
    local block = host.read(source):match("\n %* Output:\n(.-)\n %*/")
    for line in (block .. "\n"):gmatch(" %*   (.-)\n") do
      lines[#lines + 1] = line
    end
    assert.is_true(#lines >= 1)
    return table.concat(lines, "\n")
  end

  for _, name in ipairs { "loop", "read", "glib" } do
    for how, setting in pairs { ["shared library"] = "",
      archive = " STATIC=1" } do
      it(("builds and runs examples/c/%s.c against the %s"):format(name, how),
        function()
          if name == "glib" and not has_glib then
            pending("built without GLib (AIOCTL_GLIB=OFF)")
            return
          end
          local folder = host.lines("find " .. prefix
            .. " -path '*/examples/c'")[1]
          local out = prefix .. "/" .. how:match("%a+")
          must("mkdir -p " .. out)
          must(with_library(("make -C %s O=%s CFLAGS='-Wall -Wextra -Werror' "
            .. "%s/%s"):format(folder, out, out, name) .. setting))
          -- Its Makefile has told it where the library is.
          local output, status = host.run("unset LD_LIBRARY_PATH; " .. out
            .. "/" .. name)
          assert(expect.output(documented_output(folder .. "/" .. name .. ".c"),
            output))
          assert.equal(0, status)
          local linked = must("readelf -d " .. out .. "/" .. name)
          assert.equal(setting == "",
            linked:find("libaioctl", 1, true) ~= nil)
        end)
    end
  end

  it("shows each thing in at most 60 lines of C", function()
    for _, path in ipairs(host.lines("ls examples/c/*.c")) do
      local _, lines = host.read(path):gsub("\n", "")
      assert.is_true(lines <= 60, path)
    end
  end)

  it("compiles and runs a C++17 program", function()
    if select(2, host.run("command -v c++")) ~= 0 then
      pending("no C++ compiler here")
      return
    end
    write(prefix .. "/program.cc", PROGRAM)
    must(with_library(("c++ -std=c++17 -Wall -Wextra -Werror -o %s/program "
      .. "%s/program.cc $(pkg-config --cflags --libs aioctl)"):format(prefix,
      prefix)))
    assert.equal("1 1 1\n", must(with_library(prefix .. "/program")))
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
    if has_glib then
      assert.equal("true\n", must(("cd / && %s/bin/aioctl --glib "
        .. "%s/script.lua"):format(prefix, prefix)))
    end
  end)

  it("has manual pages, the API's pages and its types", function()
    must("test -s " .. prefix .. "/share/man/man1/aioctl.1")
    must("test -s " .. prefix .. "/share/man/man1/aioctl-copy.1")
    must("test -s " .. prefix .. "/share/man/man3/aio.file.3lua")
    must("test -s " .. prefix .. "/share/man/man7/aio-conventions.7")
    for _, page in ipairs { "lua-api.md", "aio.file.md", "c-api.md",
      "from-qemu.md" } do
      must(("find %s/share/doc -name %s | grep -q ."):format(prefix, page))
    end
    must("test -s " .. prefix .. "/share/aioctl/types/aio/file.lua")
  end)

  it("has completions for three shells", function()
    for _, path in ipairs { "bash-completion/completions/aioctl",
      "zsh/site-functions/_aioctl", "fish/vendor_completions.d/aioctl.fish" } do
      must("test -s " .. prefix .. "/share/" .. path)
    end
  end)

  it("has help about functions", function()
    assert.matches("^aio%.file%.open%(path: string, ",
      must("cd / && " .. prefix .. "/bin/aioctl help file.open"))
  end)

  it("has pages whose links to each other and to files hold", function()
    local pages = host.lines("find " .. prefix .. "/share/doc -name '*.md'")
    local links = 0
    assert.is_true(#pages > 5)
    for _, page in ipairs(pages) do
      for link in host.read(page):gmatch("%]%(([^)#:%s]+)[^)]*%)") do
        must(("test -e %s/%s"):format(page:match("^(.*)/"), link))
        links = links + 1
      end
    end
    assert.is_true(links > 10)
  end)

  it("loads into a stock Lua 5.4", function()
    write(prefix .. "/stock.lua", SCRIPT)
    assert.equal("stock\n", must(("cd / && LUA_PATH='%s/share/lua/5.4/?.lua;"
      .. "%s/share/lua/5.4/?/init.lua' LUA_CPATH='%s/lua/5.4/?.so' "
      .. "lua5.4 %s/stock.lua"):format(prefix, prefix, libdir, prefix)))
  end)
end)
