-- The packages: a Debian package that lintian accepts and that works unpacked
-- anywhere, and a rock for a stock Lua.

local host = require "support.host"

local build = os.getenv "AIOCTL_BUILD" or host.aioctl:match("^(.*)/[^/]*$")

local function must(command, seconds)
  local output, status = host.run(command, seconds or 120)
  assert(status == 0, command .. "\n" .. output)
  return output
end

local function has(program)
  return select(2, host.run("command -v " .. program)) == 0
end

-- A program that sees nothing of this tree.
local function alone(variables, command)
  return ("cd / && env -i PATH=/usr/bin:/bin %s %s"):format(variables, command)
end

local SLEEP <const> = host.quote [[
  require "aio".run(function()
    require "aio".sleep(0.001)
    print(require "aio".version, require "aio.net".dial ~= nil)
  end)]]

describe("the Debian package", function()
  local folder, package, why

  setup(function()
    folder = host.lines("mktemp -d")[1]
    if not has "cpack" or not has "dpkg-deb" then
      why = "no cpack or no dpkg-deb"
      return
    end
    must(("cd %s && cpack -G DEB -B %s/out"):format(host.quote(build), folder))
    package = host.lines(("ls %s/out/*.deb"):format(folder))[1]
    must(("dpkg-deb -x %s %s/unpacked"):format(package, folder))
  end)

  teardown(function()
    must("rm -r " .. folder)
  end)

  local function check(name, body)
    it(name, function()
      if why then
        pending(why)
        return
      end
      body()
    end)
  end

  check("has no errors that lintian knows", function()
    if not has "lintian" then
      pending("no lintian")
      return
    end
    must("lintian --allow-root --fail-on error " .. package)
  end)

  check("depends on what the program needs", function()
    local depends = must("dpkg-deb -f " .. package .. " Depends")
    for _, name in ipairs { "liburing2", "lua-argparse", "lua-cjson" } do
      assert.truthy(depends:find(name, 1, true), name .. " in " .. depends)
    end
    -- Lua, unless the program contains it (AIOCTL_STATIC_LUA).
    local loads = must(("readelf -d %s/unpacked/usr/bin/aioctl"):format(folder))
    assert.equal(loads:find("liblua5.4", 1, true) ~= nil,
      depends:find("liblua5.4-0", 1, true) ~= nil, depends)
  end)

  check("has the program, its modules, pages and headers", function()
    local list = must("dpkg-deb -c " .. package)
    for _, path in ipairs {
      "/usr/bin/aioctl",
      "/usr/share/man/man1/aioctl.1.gz",
      "/usr/lib/lua/5.4/aio/core.so",
      "/usr/share/lua/5.4/aio/init.lua",
      "/usr/lib/pkgconfig/aioctl.pc",
      "/usr/include/aioctl/block/aio.h",
      "/usr/share/doc/aioctl/copyright",
      "/usr/share/doc/aioctl/changelog.gz",
    } do
      assert.truthy(list:find("." .. path, 1, true), path)
    end
  end)

  check("works where it is unpacked", function()
    local output = must(alone("", ("%s/unpacked/usr/bin/aioctl -e %s"):format(
      folder, SLEEP)))
    assert.matches("^[%d.]+\ttrue\n$", output)
  end)

  check("has modules for a stock Lua", function()
    if not has "lua5.4" then
      pending("no lua5.4")
      return
    end
    local share = folder .. "/unpacked/usr/share/lua/5.4"
    local output = must(alone(("LUA_PATH='%s/?.lua;%s/?/init.lua' " ..
      "LUA_CPATH='%s/unpacked/usr/lib/lua/5.4/?.so'"):format(share, share,
      folder),
      "lua5.4 -e " .. SLEEP))
    assert.matches("^[%d.]+\ttrue\n$", output)
  end)
end)

describe("the rock", function()
  it("is built by luarocks and works in a stock Lua", function()
    if not has "luarocks" or not has "lua5.4" then
      pending("no luarocks or no lua5.4")
      return
    end
    local tree = host.lines("mktemp -d")[1]
    finally(function() must("rm -r " .. tree) end)
    must(("mkdir %s/src && tar --exclude=./build --exclude=./.git -cf - . | " ..
      "tar -C %s/src -xf - && cd %s/src && luarocks --lua-version 5.4 make " ..
      "--tree %s packaging/*.rockspec"):format(tree, tree, tree, tree), 280)
    local share = tree .. "/share/lua/5.4"
    local output = must(alone(("LUA_PATH='%s/?.lua;%s/?/init.lua' " ..
      "LUA_CPATH='%s/lib/lua/5.4/?.so'"):format(share, share, tree),
      "lua5.4 -e " .. SLEEP))
    assert.matches("^[%d.]+\ttrue\n$", output)
  end)
end)
