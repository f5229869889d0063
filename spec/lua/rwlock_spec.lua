--- aio.sync: locks for readers and writers.
local aio = require "aio"
local sync = require "aio.sync"

local function tick()
  aio.yield()
  aio.yield()
end

-- A task that locks, says so, and unlocks when told.
local function holder(lock, how, log, name)
  local event = sync.event()
  local task = aio.spawn(function()
    lock[how](lock)
    log[#log + 1] = name
    event:wait()
    lock:unlock()
  end)
  tick()
  return { done = function()
    event:set()
    task:join(2)
  end, task = task }
end

describe("sync.rwlock", function()
  it("lets readers in together, a writer alone", function()
    local lock, log = sync.rwlock(), {}
    local r1 = holder(lock, "rdlock", log, "r1")
    local r2 = holder(lock, "rdlock", log, "r2")
    local w = holder(lock, "wrlock", log, "w")
    assert.same({ "r1", "r2" }, log)
    r1.done()
    assert.same({ "r1", "r2" }, log)
    r2.done()
    tick()
    assert.same({ "r1", "r2", "w" }, log)
    assert.is_false(lock:try_rdlock())
    w.done()
    assert.is_true(lock:try_wrlock())
    lock:unlock()
  end)

  it("serves in order: readers that come later do not starve a writer",
    function()
      local lock, log = sync.rwlock(), {}
      local r1 = holder(lock, "rdlock", log, "r1")
      local w = holder(lock, "wrlock", log, "w")
      local r2 = holder(lock, "rdlock", log, "r2")
      local r3 = holder(lock, "rdlock", log, "r3")
      assert.is_false(lock:try_rdlock())
      r1.done()
      tick()
      assert.same({ "r1", "w" }, log)
      w.done()
      tick()
      assert.same({ "r1", "w", "r2", "r3" }, log)
      r2.done()
      r3.done()
    end)

  it("lets those behind a writer in when that one gives up", function()
    local lock, log = sync.rwlock(), {}
    local r1 = holder(lock, "rdlock", log, "r1")
    local w = aio.spawn(function() return lock:wrlock(0.003) end)
    tick()
    local r2 = holder(lock, "rdlock", log, "r2")
    assert.same({ "r1" }, log)
    assert.same({ nil, "timeout", aio.errno.ETIMEDOUT }, { w:join(2) })
    tick()
    assert.same({ "r1", "r2" }, log)
    w = aio.spawn(lock.wrlock, lock)
    tick()
    local r3 = holder(lock, "rdlock", log, "r3")
    w:cancel()
    assert.is_false((w:pjoin(2)))
    tick()
    assert.same({ "r1", "r2", "r3" }, log)
    r1.done()
    r2.done()
    r3.done()
    assert.is_true(lock:try_wrlock())
    lock:unlock()
  end)

  it("is given back by a task that was cancelled when it got it", function()
    local lock = sync.rwlock()
    lock:wrlock()
    local reader = aio.spawn(lock.rdlock, lock)
    tick()
    lock:unlock()
    reader:cancel()
    assert.is_false((reader:pjoin(2)))
    assert.is_true(lock:try_wrlock())
    lock:unlock()
  end)

  it("upgrades ahead of writers, nothing is written in between", function()
    local lock, log = sync.rwlock(), {}
    local other = holder(lock, "rdlock", log, "r")
    lock:rdlock()
    local w = holder(lock, "wrlock", log, "w")
    assert.same({ nil, "timeout", aio.errno.ETIMEDOUT },
      { lock:upgrade(0.001) })
    aio.spawn(function() other.done() end)
    assert.is_true(lock:upgrade(2))
    assert.same({ "r" }, log)
    lock:downgrade()
    assert.is_false(lock:try_rdlock())
    lock:unlock()
    tick()
    assert.same({ "r", "w" }, log)
    w.done()
  end)

  it("refuses a second upgrade, which would wait for the first", function()
    local lock = sync.rwlock()
    lock:rdlock()
    local first = aio.spawn(function()
      lock:rdlock()
      assert(lock:upgrade(2))
      lock:unlock()
    end)
    tick()
    local ok, message, code = lock:upgrade()
    assert.same({ nil, aio.errno.EDEADLK }, { ok, code })
    assert.matches("another reader is upgrading", message)
    lock:unlock()
    first:join(2)
  end)

  it("unlocks at the end of a guard's scope", function()
    local lock = sync.rwlock()
    pcall(function()
      local _ <close> = lock:wrguard()
      assert.equal("aio.rwlock (writing)", tostring(lock))
      error("x")
    end)
    do
      local guard <close> = lock:rdguard(1)
      assert.equal("aio.rwlock (1 reading)", tostring(lock))
      guard:unlock()
      guard:unlock()
      assert.is_true(lock:try_wrlock())
      lock:unlock()
    end
    lock:wrlock()
    local late = aio.spawn(function() return lock:rdguard(0.001) end)
    assert.same({ nil, "timeout", aio.errno.ETIMEDOUT }, { late:join(2) })
    lock:unlock()
  end)

  it("says how it was misused", function()
    local lock = sync.rwlock()
    assert.error_matches(function() lock:unlock() end, "not locked by this")
    assert.error_matches(function() lock:upgrade() end, "not locked by this")
    lock:rdlock()
    assert.error_matches(function() lock:rdlock() end, "by this task already")
    assert.error_matches(function() lock:wrlock() end, "by this task already")
    assert.error_matches(function() lock:downgrade() end, "for reading only")
    lock:upgrade()
    assert.error_matches(function() lock:upgrade() end, "for writing already")
    local other = aio.spawn(function() lock:unlock() end)
    assert.is_false((other:pjoin(2)))
    lock:unlock()
    assert.error_matches(function() lock.unlock(sync.mutex()) end,
      "aio.rwlock expected")
    local err
    aio.defer(function()
      local _
      _, err = pcall(lock.try_wrlock, lock)
    end)
    tick()
    assert.matches("belongs to a task", err)
  end)

  it("keeps count of many readers and writers", function()
    local lock = sync.rwlock()
    local readers, writers, value = 0, 0, 0
    aio.group(function(g)
      for i = 1, 300 do
        g:spawn(function()
          if i % 3 == 0 then
            local _ <close> = lock:wrguard()
            writers = writers + 1
            assert.same({ 0, 1 }, { readers, writers })
            local before = value
            aio.yield()
            value = before + 1
            writers = writers - 1
          else
            local _ <close> = lock:rdguard()
            readers = readers + 1
            assert.equal(0, writers)
            aio.yield()
            readers = readers - 1
          end
        end)
      end
    end)
    assert.equal(100, value)
  end)
end)
