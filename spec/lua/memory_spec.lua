-- How the host paces the collector once aio is loaded

local host = require "support.host"

local function run(script)
  return (host.run(("%s -e %s"):format(host.quote(host.aioctl),
    host.quote(script)), 20))
end

local LOOP = [[
  local aio = require "aio"
  local keep = {}
  for i = 1, KIB // 10 do keep[i] = ("x"):rep(10000) .. i end
  PAUSE
  for i = 1, 3000 do
    local garbage = ("x"):rep(20000) .. i
    aio.yield()
  end
  print(collectgarbage("setpause", 200))]]

-- What the pause is after a while with @kib KiB alive.
local function pause(kib, setting)
  return run((LOOP:gsub("KIB", kib):gsub("PAUSE", setting or "")))
end

describe("the collector", function()
  it("waits for more garbage than stock Lua's where the heap is small",
    function()
      assert.equal("400\n", pause(10))
    end)

  it("does not where it is large", function()
    assert.equal("200\n", pause(10000))
  end)

  it("keeps the pause that a script has set", function()
    assert.equal("300\n", pause(10, 'collectgarbage("setpause", 300)'))
  end)

  it("has stock Lua's pause without a loop that turns", function()
    assert.equal("200\n", run [[
      require "aio"
      print(collectgarbage("setpause", 200))]])
  end)
end)
