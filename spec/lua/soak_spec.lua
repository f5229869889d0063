--- The soak finds what is left over, and nothing is: ten seconds of it.
local host = require "support.host"

-- Allocators of sanitizers keep what was freed; a short run of threads has not
-- filled all its caches.
local RSS <const> = os.getenv("AIOCTL_BUILD"):find("[at]san$") and 20 or 1.5

local function soak(words, prelude)
  return host.run(("exec %s %s bench/soak.lua %s"):format(
    host.quote(host.aioctl),
    prelude and "-e " .. host.quote(prelude) or "", words), 120)
end

-- Lua that puts one kind of work in place of all of them.
local function work(body)
  return ([[
    local aio, kept = require "aio", {}
    package.loaded["lib.soakers"] = {
      all = function() return { odd = function() %s aio.yield() end } end,
      environment = function()
        return setmetatable({ engines = {} }, { __close = function() end })
      end,
    }
    KEPT, NET = kept, require "aio.net"
  ]]):format(body)
end

describe("the soak", function()
  it("ends with the descriptors, handles, tasks and anchors it began with",
    function()
      local output, status = soak("10 --rss " .. RSS)
      assert.equal(0, status, output)
      assert.matches("soak: ok\n$", output)
    end)

  it("finds descriptors that are left open", function()
    local output, status = soak("0.5", work [[
      kept[#kept + 1] = #kept < 100 and NET.pair() or nil
      aio.sleep(0.01)
    ]])
    assert.equal(1, status, output)
    assert.matches("\nfds: %d+ at first, %d+ at the end\n", output)
  end)

  it("finds handles and anchors, and says where they were made", function()
    local output, status = soak("0.5", work [[
      aio.timer { fn = print }:mod(aio.now() + 60):unref()
      aio.sleep(0.01)
    ]])
    assert.equal(1, status, output)
    assert.matches("\nanchors: ", output)
    assert.matches("more of timer, created at %(command line%):%d+", output)
  end)

  it("finds tasks that do not end", function()
    local output, status = soak("0.5", work [[
      aio.spawn(aio.sleep, 60):unref()
      aio.sleep(0.01)
    ]])
    assert.equal(1, status, output)
    assert.matches("\ntasks: ", output)
  end)

  it("finds memory that grows", function()
    local output, status = soak("0.5 --rss 1.05", work [[
      kept[#kept + 1] = ("x"):rep(1000000) .. #kept
      aio.sleep(0.005)
    ]])
    assert.equal(1, status, output)
    assert.matches("rss: %d+ KiB at first, %d+ KiB at the end", output)
  end)

  it("names the work that raises", function()
    local output, status = soak("0.5", work [[ error "broken" ]])
    assert.equal(1, status, output)
    assert.matches("broken", output)
  end)

  it("refuses words that it does not know", function()
    for words, message in pairs {
      ["--fast"] = "unknown option %-%-fast", ["0"] = "SECONDS: a positive",
      ["1 --rss x"] = "%-%-rss: a positive number expected, got x",
    } do
      local output, status = soak(words)
      assert.equal(1, status)
      assert.matches(message, output)
    end
  end)
end)
