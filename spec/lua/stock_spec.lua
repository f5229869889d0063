-- The module aio.core in stock Lua: aio.run().
local host = require "support.host"

local LUA <const> = "/usr/bin/lua5.4"
local build = os.getenv "AIOCTL_BUILD" or host.aioctl:match("^(.*)/")

local function run(code, seconds)
  local path = os.tmpname()
  finally(function() os.remove(path) end)
  local file = assert(io.open(path, "w"))
  file:write(code)
  file:close()
  return host.run(([[LUA_CPATH=%s LUA_PATH=%s %s %s; exit $?]]):format(
    host.quote(build .. "/lua/?.so;;"),
    host.quote("scripts/?.lua;scripts/?/init.lua;;"), LUA, path), seconds or 10)
end

-- Why stock Lua cannot load the module of this build, or nil.
local function refusal()
  local out, status = run 'require "aio"'
  return status ~= 0 and (out:match("[^\n]+") or "it cannot be loaded") or nil
end

describe("aio.run in stock lua", function()
  local why

  setup(function()
    why = host.run("test -x " .. LUA .. " && echo yes") ~= "yes\n" and
      "there is no " .. LUA or nil
  end)

  local function check(name, code, expected, status)
    it(name, function()
      local refused = why or refusal()
      if refused then
        pending(refused)
        return
      end
      local out, got = run(code)
      assert.matches(expected, out)
      assert.equal(status or 0, got)
    end)
  end

  check("returns what the function returns, when all has ended", [[
    local aio = require "aio"
    local log = {}
    local a, b, c = aio.run(function(...)
      aio.spawn(function() aio.sleep(0.002) log[1] = "spawned" end)
      aio.sleep(0.001)
      return ...
    end, 1, nil, 3)
    print(a, b, c, log[1]) ]], "^1\tnil\t3\tspawned\n$")

  check("may be called again and again, in coroutines too", [[
    local aio = require "aio"
    for i = 1, 3 do
      assert(aio.run(function() aio.yield() return i end) == i)
    end
    print(coroutine.wrap(function()
      return aio.run(function() aio.sleep(0.001) return "inside" end)
    end)()) ]], "^inside\n$")

  check("is a plain call inside itself", [[
    local aio = require "aio"
    print(aio.run(function() return aio.run(function() return 1, 2 end) end))
    ]], "^1\t2\n$")

  check("raises the error of the function, the same value", [[
    local aio = require "aio"
    local value = {}
    local ok, err = pcall(aio.run, function() aio.yield() error(value) end)
    print(ok, err == value, pcall(aio.run, aio.yield)) ]],
    "^false\ttrue\ttrue\n$")

  check("raises on a deadlock and on an error nobody received", [[
    local aio = require "aio"
    print(pcall(aio.run, aio.park))
    print(pcall(aio.run, function() aio.spawn(error, "x") end)) ]],
    "false\taio.run: deadlock\n.*" ..
    "false\taio.run: an error that nobody received\n$")

  check("is needed for parking", [[
    local aio = require "aio"
    print(pcall(aio.sleep, 1)) ]], "^false\tcannot park outside of a task")

  check("does files", [[
    local aio = require "aio"
    local file = require "aio.file"
    aio.run(function()
      local f <close> = assert(file.open("/dev/zero"))
      print(#f:pread(10, 0))
    end) ]], "^10\n$")

  for _, close in ipairs { "false", "true" } do
    for where, code in pairs {
      ["the function"] = "os.exit(7, %s)",
      ["a task"] = "aio.spawn(os.exit, 7, %s):join()",
      ["a callback"] = "aio.defer(function() os.exit(7, %s) end) aio.park(9)",
      ["a coroutine"] = "coroutine.wrap(os.exit)(7, %s)",
    } do
      check(("may be left by os.exit from %s (%s)"):format(where, close), [[
        local aio = require "aio"
        KEEP = setmetatable({}, { __gc = function() print "collected" end })
        aio.run(function() ]] .. code:format(close) .. " end)",
        close == "true" and "^collected\n$" or "^$", 7)
    end
  end

  check("leaves finalizers older than the module with clear errors", [[
    KEEP = setmetatable({}, { __gc = function(keep)
      print(keep.aio.now() > 0, pcall(keep.aio.spawn, print))
    end })
    local aio = require "aio"
    KEEP.aio = aio
    aio.run(aio.yield) ]], "^true\tfalse\t[^\n]*the event loop is closed")
end)
