-- aioctl --glib: the loop as a part of GLib's default main loop.
--
-- spec/support/glibloop.c is a module that knows GLib only.  That what works
-- without --glib works with it is for the other specs, which run under
-- AIOCTL_GLIB=1 as well (spec/CMakeLists.txt).

local host = require "support.host"

local build = os.getenv("AIOCTL_BUILD") or host.aioctl:match("^(.*)/[^/]*$")

local dir

lazy_setup(function()
  dir = host.lines("mktemp -d")[1]
end)

lazy_teardown(function()
  host.run("rm -r " .. host.quote(dir))
end)

-- aioctl(script [, options [, environment]]) -> output, status
local function aioctl(script, options, environment)
  local path = dir .. "/script.lua"
  local file = assert(io.open(path, "w"))
  file:write('local aio = require "aio"\n', script)
  file:close()
  return host.run(("AIOCTL_GLIB= %s LUA_CPATH='%s/spec/?.so;;' %s %s %s")
    :format(environment or "", build, host.quote(host.aioctl),
      options or "--glib", path), 20)
end

local function prints(expected, script, options, environment)
  local output, status = aioctl(script, options, environment)
  assert.equal(expected, output)
  assert.equal(0, status)
end

if (require("aio.core").probe().libraries.glib or "") == "" then
  describe("--glib without GLib", function()
    it("is refused, with the remedy", function()
      local output, status = aioctl("")
      assert.matches("^aioctl: %-%-glib: .*built without GLib: install "
        .. "libglib2.0%-dev and build it again\n$", output)
      assert.equal(1, status)
    end)
  end)
  return
end

local GLIB <const> = 'local glib = require "glibloop"\n'

describe("GLib", function()
  it("is not loaded unless asked for", function()
    local loaded = [[
      for line in io.lines("/proc/self/maps") do
        if line:find("libglib") then print "loaded" break end
      end]]
    prints("", loaded, " ")
    prints("loaded\n", loaded)
    prints("loaded\n", loaded, " ", "AIOCTL_GLIB=1")
    prints("", loaded, " ", "AIOCTL_GLIB=0")
  end)

  it("is none of the libraries that the program is linked with", function()
    local linked, status = host.run("readelf -d " .. host.quote(host.aioctl))
    assert.equal(0, status)
    assert.matches("libc%.so", linked)
    assert.not_matches("libglib", linked)
  end)

  it("is not stood in for when others look for its functions", function()
    local exports, status = host.run("nm -D --defined-only "
      .. host.quote(host.aioctl))
    assert.equal(0, status)
    assert.not_matches(" g_%a", exports)
  end)

  it("that cannot be loaded is an error with its remedy", function()
    host.run(("mkdir -p %s/lib && : >%s/lib/libglib-2.0.so.0"):format(dir, dir))
    local output, status = aioctl("", "--glib",
      "LD_LIBRARY_PATH=" .. dir .. "/lib")
    assert.matches("^aioctl: %-%-glib: GLib cannot be loaded %([^\n]*"
      .. "libglib%-2.0.so.0[^\n]*%): install it [^\n]*\n$", output)
    assert.equal(1, status)
  end)
end)

describe("under --glib", function()
  it("tasks, timers and GLib's timeouts take turns", function()
    prints("glib\t1\ntask\t1\nglib\t2\ntask\t2\n", GLIB .. [[
      local waker = aio.self():waker()
      for n = 1, 2 do
        glib.timeout(2, function() print("glib", n) waker() end)
        aio.park()
        aio.sleep(0.002)
        print("task", n)
      end]])
  end)

  it("GLib's callbacks may wake tasks, spawn them, and arm handles", function()
    prints("woken\nspawned\narmed\n", GLIB .. [[
      local main = aio.self()
      glib.timeout(2, function()
        main:waker()()
        aio.spawn(function() aio.sleep(0.001) print "spawned" end)
        aio.after(0.02, function() print "armed" end)
      end)
      aio.park()
      print "woken"]])
  end)

  it("GLib's callbacks may not park", function()
    local output, status = aioctl(GLIB .. [[
      glib.idle(function() aio.sleep(1) end)
      aio.sleep(0.01)]])
    assert.matches("^glibloop: [^\n]*cannot park outside[^\n]*\n$", output)
    assert.equal(0, status)
  end)

  it("a busy GLib does not starve tasks, nor they GLib", function()
    prints("both\n", GLIB .. [[
      local glibs, stop = 0
      local function again()
        glibs = glibs + 1
        if not stop then glib.timeout(0, again) end
      end
      again()
      for _ = 1, 1000 do aio.yield() end
      while glibs < 100 do aio.yield() end
      stop = true
      print "both"]])
  end)

  it("the monitor may be switched at any time", function()
    prints("poll\nio_uring\nepoll\npoll\n", GLIB .. [[
      local n, ctx = aio.notifier(), aio.context()
      for _, name in ipairs { "poll", "io_uring", "epoll", "poll" } do
        ctx:set { fdmon = name }
        local task = aio.spawn(function() aio.wait_fd(n:fd(), "r") end)
        aio.sleep(0.002)
        n:set()
        task:join()
        n:test_and_clear()
        print(ctx:get().fdmon)
      end
      n:close()]])
  end)

  it("files are read and written by each engine", function()
    for _, engine in ipairs { "io_uring", "linux_aio", "threads" } do
      prints("hello\n", ([[
        local file = require "aio.file"
        local path = "%s/data"
        local f = assert(file.open(path, "w+", { engine = "%s" }))
        assert(f:pwrite("hello", 0))
        aio.sleep(0.001)
        print(f:pread(5, 0))
        f:close()]]):format(dir, engine))
    end
  end)

  it("a task that iterates GLib itself runs nothing of ours", function()
    prints("glib\nend of it\nours\n", GLIB .. [[
      local done
      aio.after(0, function() print "ours" end)
      aio.bh(function() end):schedule()
      glib.timeout(10, function() print "glib" done = true end)
      while not done do glib.iterate(true) end
      print "end of it"
      aio.sleep(0.001)]])
  end)

  it("a task that iterates GLib itself does not spin", function()
    local output, status = aioctl(GLIB .. [[
      local n = aio.notifier()
      local handler = aio.fd(n:fd(), { read = function() end })
      n:set() -- ready all the time
      local done, turns = false, 0
      glib.timeout(15, function() done = true end)
      while not done do glib.iterate(true) turns = turns + 1 end
      print(turns < 5)
      handler:close()
      n:close()]])
    assert.equal("true\n", output)
    assert.equal(0, status)
  end)

  it("nor does a callback that iterates GLib, of whichever loop", function()
    for _, start in ipairs { "glib.idle(nested)", "aio.bh(nested):schedule()" }
    do
      prints("glib\nend of it\nours\n", GLIB .. [[
        local function nested()
          local done
          aio.bh(function() print "ours" end):schedule()
          glib.timeout(5, function() print "glib" done = true end)
          while not done do glib.iterate(true) end
          print "end of it"
        end
        ]] .. start .. "aio.sleep(0.002) aio.sleep(0.001)")
    end
  end)

  it("GLib's callbacks may not run what is ours", function()
    local output, status = aioctl(GLIB .. [[
      glib.idle(function() aio.context():poll(false) end)
      aio.sleep(0.01)]])
    assert.matches("^glibloop: [^\n]*poll%(%) cannot be called by a callback "
      .. "of GLib[^\n]*\n$", output)
    assert.equal(0, status)
  end)

  it("ctx:poll() nests in callbacks, and tells of progress", function()
    prints("true\nfalse\n", [[
      local ctx, waker = aio.context(), aio.self():waker()
      aio.bh(function()
        aio.bh(function() end):schedule()
        print(ctx:poll(false))
        print(ctx:poll(false))
        waker()
      end):schedule()
      aio.park()]])
  end)
end)

describe("the end under --glib", function()
  it("does not wait for what only GLib has", function()
    prints("end\n", GLIB .. [[
      glib.timeout(60000, function() end)
      print "end"]])
  end)

  it("is a deadlock when neither loop has anything left", function()
    local output, status = aioctl(GLIB .. [[
      glib.timeout(5, function() print "last" end)
      aio.park()]])
    assert.matches("^last\naioctl: deadlock: .*main task is parked", output)
    assert.equal(3, status)
  end)

  it("comes by os.exit, in a task and in callbacks of both loops", function()
    for status, script in ipairs {
      "os.exit(1)",
      "aio.bh(function() os.exit(2) end):schedule() aio.sleep(1)",
      "glib.timeout(1, function() os.exit(3) end) aio.sleep(1)",
      "glib.idle(function() os.exit(4, true) end) aio.sleep(1)",
    } do
      local output, got = aioctl(GLIB .. script)
      assert.equal("", output)
      assert.equal(status, got)
    end
  end)

  it("comes by --timeout and by a signal", function()
    local output, status = aioctl("aio.sleep(10)", "--glib --timeout 0.05")
    assert.matches("timeout: still running after 0.05 s", output)
    assert.equal(124, status)
    output, status = aioctl([[
      aio.after(0.01, function() os.execute("kill -TERM $PPID") end)
      local _ <close> = setmetatable({}, { __close = function()
        print "closed"
      end })
      aio.sleep(10)]])
    assert.matches("closed\n", output)
    assert.equal(143, status)
  end)
end)
