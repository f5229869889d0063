-- aioctl top and the control socket that it asks

local aio = require "aio"
local cjson = require "cjson"
local file = require "aio.file"
local host = require "support.host"
local proc = require "aio.proc"

local dir, child

local SCRIPT <const> = [[
  local aio = require "aio"
  aio.self():name("the main one")
  for i = 1, 20 do
    aio.spawn(function()
      aio.self():name("sleeper " .. i)
      aio.sleep(60)
    end)
  end
  aio.every(0.001, function() end)
  aio.sleep(60)
]]

local function start(...)
  local path = dir .. "/script.lua"
  local f <close> = assert(io.open(path, "w"))
  f:write(SCRIPT)
  f:close()
  local env = { XDG_RUNTIME_DIR = dir }
  for _, name in ipairs { "PATH", "AIOCTL_SCRIPTS", "LUA_CPATH", "LUA_PATH",
    "ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS" } do
    env[name] = os.getenv(name)
  end
  return assert(proc.spawn { host.aioctl, ..., path, env = env })
end

local function socket_of(process)
  return ("%s/aioctl-%d.sock"):format(dir, process:pid())
end

local function top(words)
  return host.run(("XDG_RUNTIME_DIR=%s %s top %s"):format(dir,
    host.quote(host.aioctl), words), 30)
end

setup(function()
  dir = os.tmpname()
  os.remove(dir)
  assert(file.mkdir(dir, 448))
end)

teardown(function()
  os.execute("rm -r " .. dir)
end)

describe("aioctl top", function()
  before_each(function()
    child = start("--control")
    for _ = 1, 1000 do
      if file.stat(socket_of(child)) then
        break
      end
      aio.sleep(0.01)
    end
  end)

  after_each(function()
    child:kill("KILL")
    child:wait()
    child:close()
  end)

  it("shows how busy the loop is, tasks and handles", function()
    local output, status = top(child:pid() .. " --interval 50ms --count 1")
    assert.equal(0, status, output)
    assert.matches("script.lua, process " .. child:pid() .. ", up ", output)
    assert.matches("\nloop +%d+%.%d %% busy, %d[%d.]*/s turns, fdmon %a",
      output)
    assert.matches("\ntasks    2%d: .*parked", output)
    assert.matches("the main one", output)
    assert.matches("sleeper %d", output)
    assert.matches("and %d more", output)
    assert.matches("\nhandles  %d", output)
    for line in output:gmatch("[^\n]+") do
      assert.is_true(#line < 80, line)
    end
  end)

  it("has the same as JSON, and tracebacks", function()
    local output, status = top(child:pid() .. " --json")
    assert.equal(0, status, output)
    local report = cjson.decode(output)
    assert.equal(child:pid(), report.pid)
    assert.is_true(report.stats.iterations > 0)
    assert.is_true(#report.tasks >= 21)
    output, status = top(child:pid() .. " --tracebacks")
    assert.equal(0, status, output)
    assert.matches("sleeper 20[^\n]*%(parked%)\nstack traceback:", output)
  end)

  it("is for the owner only, and ends with the program", function()
    assert.equal(384, file.stat(socket_of(child)).perm)
    child:kill("TERM")
    child:wait(20)
    assert.is_nil((file.stat(socket_of(child))))
    local output, status = top(tostring(child:pid()))
    assert.equal(1, status)
    assert.matches("^aioctl top: there is no process %d+\n$", output)
  end)

  it("answers nonsense, and lives on", function()
    local sock <close> = assert(require "aio.net".dial("unix:" ..
      socket_of(child)))
    sock:send("nonsense\n")
    assert.matches("unknown request 'nonsense'",
      cjson.decode(sock:recv_line(5)).error)
    sock:send(("x"):rep(10000))
    assert.is_nil((sock:recv_line(5)))
    assert.equal(0, select(2, top(child:pid() .. " --json")))
  end)
end)

describe("aioctl top", function()
  it("says how to start what has no socket", function()
    local other <close> = start("--timeout=20")
    local output, status = top(tostring(other:pid()))
    other:kill("KILL")
    other:wait()
    assert.equal(1, status)
    assert.matches("has no control socket: start it with aioctl %-%-control",
      output)
  end)

  it("refuses what is no process id", function()
    local output, status = top("x")
    assert.equal(1, status)
    assert.matches("'x' is no number from 1 to", output)
    output, status = top("1 --interval 1us")
    assert.equal(1, status)
    assert.matches("too short", output)
  end)

  it("keeps no program running and is no way out of a deadlock", function()
    local output, status = host.run(("XDG_RUNTIME_DIR=%s %s --control -e %s")
      :format(dir, host.quote(host.aioctl), host.quote("print(1)")))
    assert.same({ "1\n", 0 }, { output, status })
    output, status = host.run(("XDG_RUNTIME_DIR=%s %s --control -e %s"):format(
      dir, host.quote(host.aioctl), host.quote(
        "require 'aio'.sync.chan():get()")))
    assert.equal(3, status)
    assert.matches("deadlock", output)
  end)
end)
