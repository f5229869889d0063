-- --trace: what the program did when, as Chrome's trace event format

local cjson = require "cjson"
local host = require "support.host"

local dir

local function trace(script, words, environment)
  local path = dir .. "/script.lua"
  local file <close> = assert(io.open(path, "w"))
  file:write(script)
  file:close()
  local out = dir .. "/trace.json"
  os.remove(out)
  local output, status = host.run(("%s %s --trace %s %s %s"):format(
    environment or "", host.quote(host.aioctl), out, words or "", path), 20)
  return output, status, out
end

local function events_of(path)
  local events = cjson.decode(host.read(path))
  local count = {}
  for _, event in ipairs(events) do
    local key = event.ph .. " " .. (event.name or "")
    count[key] = (count[key] or 0) + 1
  end
  return events, count
end

-- Begin and end of a thread are pairs, in order of time.
local function assert_nested(events)
  local depth, last = {}, {}
  for _, event in ipairs(events) do
    local tid = event.tid
    if event.ph == "B" or event.ph == "E" then
      assert.is_true(event.ts >= (last[tid] or 0))
      last[tid] = event.ts
      depth[tid] = (depth[tid] or 0) + (event.ph == "B" and 1 or -1)
      assert.is_true(depth[tid] >= 0)
    end
  end
  for _, left in pairs(depth) do
    assert.equal(0, left)
  end
end

lazy_setup(function()
  dir = os.tmpname()
  os.remove(dir)
  assert(os.execute("mkdir " .. dir))
end)

lazy_teardown(function()
  os.execute("rm -r " .. dir)
end)

describe("--trace", function()
  it("has slices of ticks, callbacks and tasks, waits, and I/O", function()
    local output, status, path = trace([[
      local aio, file = require "aio", require "aio.file"
      aio.spawn(function()
        aio.self():name("reader")
        local f <close> = assert(file.open(arg[0]))
        f:pread(7, 3)
      end):join()
      aio.bh(function() end, 'a "b" \\ c'):schedule()
      aio.sleep(0.003)
      local co = coroutine.wrap(function() aio.sleep(0.001) end)
      co()]])
    assert.same({ "", 0 }, { output, status })
    local events, count = events_of(path)
    assert_nested(events)
    assert.is_true(count["B tick"] > 1)
    assert.is_true(count["X wait"] >= 1)
    assert.is_true(count["B main task"] >= 3)
    assert.is_true(count["B task 'reader', created at " .. dir ..
      "/script.lua:2"] >= 1)
    assert.equal(1, count["B bh 'a \"b\" \\ c', created at " .. dir ..
      "/script.lua:7"])
    assert.equal(1, count["b read"])
    local io = {}
    for _, event in ipairs(events) do
      if event.name == "read" then
        io[event.ph] = event
      end
    end
    assert.same({ 3, 7, 7 }, { io.b.args.offset, io.b.args.length,
      io.e.args.result })
    assert.equal(io.b.id, io.e.id)
    assert.is_true(io.e.ts >= io.b.ts)
  end)

  it("is complete after an error, os.exit and a signal", function()
    for script, expected in pairs {
      ["error('x')"] = 1,
      ["require 'aio'.sleep(0.001) os.exit(3)"] = 3,
      ["require 'aio'.spawn(function() io.popen('kill -INT $PPID') end) " ..
        "require 'aio'.sleep(5)"] = 130,
    } do
      local _, status, path = trace(script)
      assert.equal(expected, status)
      assert_nested((events_of(path)))
    end
  end)

  it("is asked for by the environment too", function()
    local out = dir .. "/env.json"
    local _, status = host.run(("AIOCTL_TRACE=%s %s -e 'x = 1'"):format(out,
      host.quote(host.aioctl)))
    assert.equal(0, status)
    assert.is_true(#(events_of(out)) > 0)
  end)

  it("says what it could not write", function()
    local output, status = host.run(host.quote(host.aioctl) ..
      " --trace /none/x -e 'print(1)'")
    assert.equal("aioctl: --trace: cannot write /none/x: No such file or " ..
      "directory\n", output)
    assert.equal(1, status)
    output = host.run(host.quote(host.aioctl) ..
      " --trace /dev/full -e 'print(1)'")
    assert.matches("%-%-trace: /dev/full is not complete: No space left",
      output)
  end)
end)
