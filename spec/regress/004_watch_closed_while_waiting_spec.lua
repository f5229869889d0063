--- A watch that was closed left the task in watch:next() waiting for ever, on a
-- descriptor that could be somebody else's by then.
local aio = require "aio"
local file = require "aio.file"

describe("file.watch", function()
  it("ends the waits of all tasks when it is closed", function()
    local watch = assert(file.watch("."))
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = aio.spawn(watch.next, watch)
    end
    aio.yield()
    aio.yield()
    watch:close()
    local next_watch <close> = assert(file.watch(".")) -- takes no number yet
    for i = 1, 3 do
      local result, _, errno = tasks[i]:join(2)
      assert.is_nil(result)
      assert.equal(aio.errno.ECANCELED, errno)
    end
    assert.is_false(pcall(watch.next, watch, 0))
    assert.equal("timeout", select(2, next_watch:next(0.001)))
  end)

  it("is closed although a task was cancelled in it at once", function()
    local watch = assert(file.watch("."))
    local task = aio.spawn(watch.next, watch)
    aio.yield()
    aio.yield()
    task:cancel()
    watch:close()
    assert.is_not_nil((task:pjoin(2)))
  end)
end)
