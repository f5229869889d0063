-- Channels that lie in messages of channels: what nobody can reach is freed.
-- Each message has a socket with it, whose other end sees when that happens.

local aio, net, sync = require "aio", require "aio.net", require "aio.sync"

describe("channels in messages of channels", function()
  local thread, ends

  before_each(function()
    thread = assert(aio.iothread("cycles"))
    ends = {}
  end)
  after_each(function()
    thread:close()
  end)

  -- A socket to be sent, whose other end is kept.
  local function canary()
    local a, b = net.pair()
    ends[#ends + 1] = b
    return a
  end

  local function collect()
    collectgarbage()
    collectgarbage()
  end

  local function check_freed()
    collect()
    for _, sock in ipairs(ends) do
      assert.is_nil((sock:recv(1, 5)))
      sock:close()
    end
  end

  local function check_kept()
    collect()
    for _, sock in ipairs(ends) do
      assert.is_false(sock:try_recv(1))
    end
  end

  it("are freed when one was sent through itself", function()
    do
      local chan = thread:channel(2)
      chan:put { chan, canary() }
      chan:put(chan)
    end
    check_freed()
  end)

  it("are freed when two hold each other", function()
    do
      local a, b = thread:channel(1), thread:channel(1)
      a:put { b, canary() }
      b:put { a, canary() }
      b = nil -- luacheck: ignore
      check_kept()
      assert.equal(1, #a)
    end
    check_freed()
  end)

  it("are freed when a ring of many ends in another thread", function()
    local last = thread:call(function(first, socks)
      local chan = first
      for i = 2, 100 do
        first:put(require("aio.sync").chan(2)) -- so that it is a shared one
        local next = first:get()
        next:put { chan, socks[i] }
        chan = next
      end
      first:put { chan, socks[1] }
      return first
    end, thread:channel(2), { canary(), canary(), canary() }):join()
    thread:call(function() collectgarbage() collectgarbage() end):join()
    check_kept()
    assert.equal(1, #last)
    last = nil -- luacheck: ignore
    check_freed()
  end)

  it("stay while any of a ring can be reached, and come out whole", function()
    local a = thread:channel(1)
    do
      local b, c = thread:channel(1), thread:channel(1)
      a:put { b, canary() }
      b:put { c, canary() }
      c:put { a, canary() }
    end
    check_kept()
    local from_a = a:get()
    local from_b = from_a[1]:get()
    local from_c = from_b[1]:get()
    assert.equal(a, from_c[1])
    for _, message in ipairs { from_a, from_b, from_c } do
      message[2]:close()
    end
    check_freed()
  end)

  it("stay while a message to another thread has one of them", function()
    local back = thread:channel(1)
    do
      local a = thread:channel(1)
      a:put { a, canary() }
      back:put(a)
    end
    check_kept()
    local message = back:get():get()
    message[2]:close()
    message = nil -- luacheck: ignore
    check_freed()
  end)

  it("are freed when what holds a ring goes", function()
    do
      local outer = thread:channel(1)
      local a, b = thread:channel(2), thread:channel(2)
      a:put { b, canary() }
      b:put { a, canary() }
      outer:put { a, b, canary() }
    end
    check_freed()
  end)

  it("are freed one after the other, however long the chain is", function()
    do
      local chan = thread:channel(1)
      chan:put(canary())
      for _ = 1, 20000 do
        local next = thread:channel(1)
        next:put(chan)
        chan = next
      end
      collect()
      assert.equal(1, #chan)
    end
    check_freed()
  end)

  it("are freed while threads send them to and fro", function()
    local other = assert(aio.iothread("other"))
    local function churn(home, away, shared, rounds)
      local sync_there = require "aio.sync"
      for i = 1, rounds do
        shared:put { sync_there.chan(2), sync_there.chan(2) }
        local a, b = table.unpack(shared:get())
        a:put { b }
        b:put { a }
        home:put { a, b, home }
        local got = away:get(20)
        got[2]:put { got[1], got[3] }
        if i % 16 == 0 then collectgarbage() end
      end
      collectgarbage()
    end
    local x, y = thread:channel(1), thread:channel(1)
    local calls = { thread:call(churn, x, y, thread:channel(1), 300),
      other:call(churn, y, x, thread:channel(1), 300) }
    for _, call in ipairs(calls) do call:join() end
    other:close()
  end)

  it("are refused while they lie in their own queue in one thread", function()
    local chan = sync.chan(1)
    chan:put(chan)
    local ok, err = pcall(thread.call, thread, print, chan)
    assert.is_false(ok)
    assert.is_truthy(err:find("a channel that is in its own queue", 1, true),
      err)
    assert.equal(chan, chan:get())
    local a, b = sync.chan(1), sync.chan(1)
    a:put(b)
    b:put(a)
    ok, err = pcall(thread.call, thread, print, a)
    assert.is_false(ok)
    assert.is_truthy(err:find("a channel that is in its own queue", 1, true),
      err)
    assert.equal(b, a:get())
    assert.is_true(thread:call(function(c) return c:is_closed() end, a):join()
      == false)
  end)
end)
