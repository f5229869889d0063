--- aio.wait_fd, from one wait for a descriptor to the next.
local aio = require "aio"

local function tick(n)
  for _ = 1, n or 2 do
    aio.yield()
  end
end

--- Waits until @done() is true, at most two seconds.
local function eventually(done)
  local deadline = aio.now() + 2
  while not done() do
    assert(aio.now() < deadline, "nothing happened for two seconds")
    aio.sleep(0.001)
  end
end

--- A notifier: a descriptor whose readiness a spec controls.
local function switch()
  return assert(aio.notifier())
end

describe("aio.wait_fd", function()
  it("leaves the descriptor to a handler afterwards", function()
    local n <close> = switch()
    n:set()
    assert.equal("r", aio.wait_fd(n:fd(), "r"))
    local calls = 0
    local h <close> = aio.fd(n:fd(), { read = function()
      calls = calls + 1
      n:test_and_clear()
    end })
    eventually(function() return calls == 1 end)
    assert.equal(n:fd(), h:fd())
  end)

  -- Waits for a descriptor, closes it, and has another one of its number.
  local function reopened()
    local n = switch()
    n:set()
    assert.equal("r", aio.wait_fd(n:fd(), "r"))
    local number = n:fd()
    n:close()
    n = switch()
    assert.equal(number, n:fd())
    return n
  end

  it("notices that the number is another descriptor's by now", function()
    local n <close> = reopened()
    local task = aio.spawn(aio.wait_fd, n:fd(), "r", 2)
    tick()
    n:set()
    assert.equal("r", task:join(2))
  end)

  it("notices it in a loop that never sleeps, too", function()
    local n <close> = reopened()
    local busy <close> = aio.bh(function() end):schedule_always()
    local task = aio.spawn(aio.wait_fd, n:fd(), "r", 2)
    tick()
    n:set()
    assert.equal("r", task:join(2))
    assert.matches("armed", tostring(busy))
  end)

  it("says that the descriptor was closed between two waits", function()
    local n = switch()
    n:set()
    assert.equal("r", aio.wait_fd(n:fd(), "r"))
    local number = n:fd()
    n:close()
    local got, err, code = aio.wait_fd(number, "r", 2)
    assert.is_nil(got)
    assert.matches("wait_fd", err)
    assert.equal(aio.errno.EBADF, code)
  end)

  it("goes on from wait to wait, ready or not", function()
    local n <close> = switch()
    local count = 0
    local task = aio.spawn(function()
      while count < 20 do
        aio.wait_fd(n:fd(), "r", 2)
        count = count + (n:test_and_clear() and 1 or 0)
      end
    end)
    for i = 1, 20 do
      n:set()
      tick(i % 5)
      eventually(function() return count == i end)
    end
    task:join(2)
  end)
end)
