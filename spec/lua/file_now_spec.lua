-- Reads of what lies in memory: without an engine, and fair all the same

local aio = require "aio"
local file = require "aio.file"

local SIZE = 300000
local path, data

local function submitted()
  return aio.context():stats().submitted
end

local function make(name)
  local f <close> = assert(io.open(name, "wb"))
  f:write(data)
end

-- Numbers, so that each place looks different.
local function numbers(size)
  local words = {}
  for i = 1, size // 4 do
    words[i] = string.pack("<I4", i)
  end
  return table.concat(words)
end

describe("a read", function()
  setup(function()
    data = numbers(SIZE)
  end)
  before_each(function()
    path = os.tmpname()
    make(path)
  end)
  after_each(function()
    os.remove(path)
  end)

  it("of what is cached asks no engine", function()
    local f <close> = assert(file.open(path))
    local buf <close> = aio.buf(4096)
    local before = submitted()
    assert.equal(data:sub(1, 4096), f:pread(4096, 0))
    assert.equal(4096, f:pread(buf, 8192))
    assert.equal(data:sub(8193, 12288), buf:tostring())
    assert.equal(data:sub(5, 14), f:read_exact(10, 4))
    assert.equal(data:sub(1, 3), f:read(3))
    assert.equal(data:sub(4, 9), f:read(6))
    assert.equal(before, submitted())
  end)

  it("ends at the end of the file", function()
    local f <close> = assert(file.open(path))
    assert.equal(data:sub(SIZE - 99), f:pread(4096, SIZE - 100))
    assert.equal("", f:pread(4096, SIZE))
    assert.equal("", f:pread(0, 0))
    local s, message, errno = f:read_exact(200, SIZE - 100)
    assert.is_nil(s)
    assert.equal(61, errno) -- ENODATA
    assert.truthy(message:find("end of file after 100 of 200 bytes", 1, true))
  end)

  it("into a list of buffers fills one after the other", function()
    local f <close> = assert(file.open(path))
    local a <close> = aio.buf(100)
    local b <close> = aio.buf(200)
    assert.equal(300, f:pread({ a, b }, 40))
    assert.equal(data:sub(41, 340), a:tostring() .. b:tostring())
    assert.equal(50, f:pread({ a, b }, SIZE - 50))
  end)

  it("of what is not cached is complete too", function()
    local f <close> = assert(file.open(path, "r+"))
    for _ = 1, 20 do
      assert(f:fsync())
      assert(f:advise("dontneed"))
      assert.equal(data:sub(101, 60100), f:pread(60000, 100))
      assert.equal(data:sub(SIZE - 5), f:pread(100, SIZE - 6))
    end
  end)

  it("from devices is what the device gives", function()
    local f <close> = assert(file.open("/dev/zero"))
    assert.equal(("\0"):rep(5000), f:pread(5000, 0))
    local null <close> = assert(file.open("/dev/null"))
    assert.equal("", null:pread(10, 0))
  end)

  it("that never waits lets other tasks and timers have their turn", function()
    local f <close> = assert(file.open(path))
    local buf <close> = aio.buf(4096)
    local reads, turns = 0, 0
    local reader = aio.spawn(function()
      while true do
        f:pread(buf, 0)
        reads = reads + 1
      end
    end)
    local other = aio.spawn(function()
      while true do
        aio.yield()
        turns = turns + 1
      end
    end)
    aio.sleep(0.005)
    reader:cancel()
    other:cancel()
    reader:pjoin()
    other:pjoin()
    assert.is_true(reads > 0)
    assert.is_true(turns >= reads // 17)
  end)

  it("of a string has memory of its own, whatever else is read", function()
    local f <close> = assert(file.open(path))
    local wrong, count = 0, 0
    aio.group(function(g)
      for i = 1, 300 do
        g:spawn(function()
          for _, size in ipairs { 10, 4096, 5000, 20000, 70000 } do
            local offset = (i * 997) % (SIZE - 70000)
            local right = data:sub(offset + 1, offset + size)
            count = count + 1
            wrong = wrong + (f:pread(size, offset) == right and 0 or 1)
          end
        end)
      end
    end)
    assert.equal(1500, count)
    assert.equal(0, wrong)
  end)

  it("of a file in memory asks no engine, whatever else is in flight",
    function()
      if not file.stat("/dev/shm") then
        pending("there is no /dev/shm")
      end
      local name = "/dev/shm/aioctl-now-" .. math.random(1 << 30)
      make(name)
      local f <close> = assert(file.open(name))
      assert(os.remove(name))
      local slow <close> = assert(file.open(path, "r+"))
      local before, right = submitted(), 0
      aio.group(function(g)
        g:spawn(function()
          slow:fsync()
        end)
        for i = 0, 9 do
          g:spawn(function()
            local s = f:pread(100, i * 100)
            right = right + (s == data:sub(i * 100 + 1, i * 100 + 100) and 1
              or 0)
          end)
        end
      end)
      assert.equal(10, right)
      assert.equal(before + 1, submitted())
    end)

  it("that fails says the same as an engine", function()
    local f <close> = assert(file.open(path, "w"))
    local s, message, errno = f:pread(10, 0)
    assert.is_nil(s)
    assert.equal(9, errno) -- EBADF
    assert.truthy(message:find("not open for reading", 1, true))
  end)
end)
