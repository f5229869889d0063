--- A file:close() that was cancelled while it waited for a thread of the pool
-- left the descriptor open for good.
local aio = require "aio"
local file = require "aio.file"

-- Keeps the only thread of the pool busy while fn runs.
local function with_busy_pool(fn)
  local path = os.tmpname()
  os.remove(path)
  assert(os.execute("mkfifo " .. path))
  local ctx = aio.context()
  local before = ctx:get().thread_pool_max
  ctx:set { thread_pool_min = 0, thread_pool_max = 1 }
  local stuck = aio.spawn(file.open, path) -- waits for a writer
  aio.sleep(0.005)
  fn()
  io.open(path, "w"):close()
  local f = assert(stuck:join())
  ctx:set { thread_pool_max = before }
  f:close()
  os.remove(path)
end

describe("file:close", function()
  it("closes the descriptor also when it is cancelled in the queue", function()
    local f = assert(file.open("/dev/null"))
    local fd = f.fd
    with_busy_pool(function()
      local closer = aio.spawn(f.close, f)
      aio.yield()
      closer:cancel()
      assert.is_false(closer:pjoin(5))
      assert.equal(-1, f.fd)
      local handle, message = aio.fd(fd, {})
      assert.is_nil(handle)
      assert.matches("EBADF", message)
    end)
  end)
end)

describe("file.open", function()
  it("leaves nothing open when it is cancelled in the queue", function()
    with_busy_pool(function()
      local opener = aio.spawn(file.open, "/dev/null")
      aio.yield()
      opener:cancel()
      assert.is_false(opener:pjoin(5))
      assert.equal("cancelled", opener:status())
    end)
  end)
end)
