-- aio.block: cow and log, what they leave on the disk and what a crash leaves

local aio = require "aio"
local block = require "aio.block"
local support = require "support.block"
local E = aio.errno
local extent = block.extent

local fails = support.fails
local folder

local SIZE <const> = 300000 -- the last cluster is not whole

before_each(function()
  folder = support.folder()
  local base <close> = assert(block.open { "file", folder .. "/base",
    size = SIZE })
  assert(base:pwrite(("b"):rep(SIZE), 0))
end)

after_each(function() support.remove(folder) end)

local function open_cow(options)
  return assert(block.open("cow:" .. folder .. "/base," .. folder .. "/over"
    .. (options or "")))
end

local function read_base()
  local f <close> = assert(io.open(folder .. "/base", "rb"))
  return f:read("a")
end

describe("a cow node", function()
  it("writes to the overlay only, and finds it again", function()
    local node = open_cow()
    assert.equal(SIZE, node.size)
    assert.equal(("b"):rep(10), node:pread(10, SIZE - 10))
    local expected = ("b"):rep(SIZE)
    local function write(text, off)
      assert.is_true(node:pwrite(text, off))
      expected = expected:sub(1, off) .. text .. expected:sub(off + #text + 1)
    end
    write("new", 10)
    write(("x"):rep(140000), 60000)
    write("end", SIZE - 3)
    write("again", 12)
    assert.is_true(node:zero(70000, 5000))
    expected = expected:sub(1, 70000) .. ("\0"):rep(5000)
      .. expected:sub(75001)
    assert.is_true(node:pread(SIZE, 0) == expected)
    assert.is_true(node:close())
    assert.is_true(read_base() == ("b"):rep(SIZE))
    local again <close> = open_cow()
    assert.is_true(again:pread(SIZE, 0) == expected)
    assert.equal(5 * 65536, again:allocated())
  end)

  it("zeros over a base, and says what it has", function()
    local node <close> = open_cow()
    assert.is_true(node:zero(65536, 65536))
    assert.equal(("\0"):rep(10), node:pread(10, 65536))
    assert.equal("b", node:pread(1, 65535))
    assert.equal("b", node:pread(1, 131072))
    local list = node:status(0, SIZE)
    local zeros = 0
    for _, part in ipairs(list) do
      zeros = zeros + (part.flags & extent.ZERO ~= 0 and part.length or 0)
      assert.equal(0, part.flags & extent.HOLE)
    end
    assert.equal(65536, zeros)
  end)

  it("keeps concurrent writes into one cluster", function()
    local base = assert(block.open "delay:[mem:128k]?read=1ms")
    local node <close> = assert(block.open { "cow", base, "mem:1M" })
    aio.group(function(g)
      for i = 0, 255 do
        g:spawn(function()
          assert(node:pwrite(("%02x"):format(i), i * 512))
          if i % 50 == 0 then assert(node:flush()) end
        end)
      end
    end)
    for i = 0, 255 do
      assert.equal(("%02x"):format(i), node:pread(2, i * 512))
    end
  end)

  it("commits to the base while requests wait", function()
    local node = open_cow("?commit=1")
    assert(node:pwrite("committed", 65530))
    local committed = aio.spawn(function() return node:commit() end)
    aio.yield()
    assert.equal("committed", node:pread(9, 65530))
    assert.is_true(committed:join())
    assert.equal(0, node:allocated())
    assert(node:pwrite("later", 0))
    assert(node:close())
    assert.equal("committed", read_base():sub(65531, 65539))
    assert.equal("b", read_base():sub(1, 1))
    local again <close> = open_cow()
    assert.equal("later", again:pread(5, 0))
  end)

  it("does not commit to a read-only base, and loses nothing", function()
    local node <close> = open_cow()
    node:pwrite("x", 0)
    fails(E.EPERM, "read-only (node '" .. folder .. "/base'", node:commit())
    assert.equal("x", node:pread(1, 0))
    assert.equal(65536, node:allocated())
  end)

  it("refuses what is no overlay of this base", function()
    local f <close> = assert(io.open(folder .. "/over", "wb"))
    f:write(("x"):rep(1000))
    f:close()
    fails(E.EINVAL, "has 1000 bytes; an overlay of", block.open("cow:" .. folder
      .. "/base," .. folder .. "/over"))
    local base = assert(block.open "mem:64k")
    local over = assert(block.open "mem:1M")
    over:pwrite("not a bitmap", 65536)
    fails(E.EINVAL, "not an overlay", block.open { "cow", base, over })
    over:close()
    fails(E.EINVAL, "needs 73728 bytes, 'mem' has 65536", block.open { "cow",
      base, "mem:64k" })
  end)
end)

-- Copies of a memory disk at the moment of each of its flushes and writes: what
-- the power failing there leaves.
local function snapshots_of(disk, list)
  return assert(block.filter(disk, {
    fua = false,
    flush = function(_, next)
      local ok = next()
      list[#list + 1] = disk:pread(disk.size, 0)
      return ok
    end,
    pwrite = function(_, buf, off, bits, next)
      local ok = next(buf, off, bits)
      list[#list + 1] = disk:pread(disk.size, 0)
      return ok
    end,
  }))
end

describe("a cow node after a crash", function()
  it("has what was flushed, and the base elsewhere", function()
    local base = assert(block.open "mem:128k")
    base:pwrite(("b"):rep(131072), 0)
    local list = {}
    local over = snapshots_of(assert(block.open "mem:256k"), list)
    local node = assert(block.open { "cow", base, over })
    local flushed = {} -- number of snapshots -> text that must be there
    for i = 1, 4 do
      assert(node:pwrite(("v%d"):format(i), i * 30000))
      assert(node:flush())
      flushed[#list] = i
    end
    local must = 0
    for n, image in ipairs(list) do
      must = flushed[n] or must
      local copy = assert(block.open "mem:256k")
      copy:pwrite(image, 0)
      local again <close> = assert(block.open { "cow", base, copy })
      local text = again:pread(131072, 0)
      for i = 1, must do
        assert.equal("v" .. i, text:sub(i * 30000 + 1, i * 30000 + 2))
      end
      assert.is_nil(text:gsub("v%d", ""):find("[^b]"))
    end
    assert.is_true(#list >= 12)
    assert(node:close())
  end)
end)

describe("a log node", function()
  local function open_log()
    return assert(block.open("log:[mem:64k]?to=" .. folder .. "/log"))
  end

  it("can be replayed to every point", function()
    local node = open_log()
    local states = { [0] = node:pread(65536, 0) }
    for i = 1, 20 do
      if i % 7 == 0 then
        assert(node:flush())
      elseif i % 5 == 0 then
        assert(node:zero(i * 100, 1000))
      else
        assert(node:pwrite(("%d"):format(i):rep(400), i * 300))
      end
      states[i] = node:pread(65536, 0)
    end
    assert(node:close())
    for n = 0, 20 do
      local target <close> = assert(block.open "mem:64k")
      assert.equal(n, block.replay(folder .. "/log", target, n))
      assert.is_true(target:pread(65536, 0) == states[n], n)
    end
    local target <close> = assert(block.open "mem:64k")
    assert.equal(20, block.replay(folder .. "/log", target))
  end)

  it("has the order in which concurrent writes ended", function()
    local node = assert(block.open("log:[delay:[mem:64k]?write=1ms]?to="
      .. folder .. "/log"))
    aio.group(function(g)
      for i = 1, 50 do
        g:spawn(function()
          assert(node:pwrite(("<I4"):pack(i):rep(128), i % 10 * 512))
          if i % 10 == 0 then assert(node:flush()) end
        end)
      end
    end)
    local expected = node:pread(65536, 0)
    assert(node:close())
    local target <close> = assert(block.open "mem:64k")
    assert.equal(55, block.replay(folder .. "/log", target))
    assert.is_true(target:pread(65536, 0) == expected)
  end)

  it("does not have what failed", function()
    local node = assert(block.open("log:[fault:[mem:64k]?ops=pwrite&nth=2]?to="
      .. folder .. "/log"))
    assert(node:pwrite("a", 0))
    assert.is_nil((node:pwrite("b", 0)))
    assert(node:pwrite("c", 1))
    assert(node:close())
    local seen = {}
    assert.equal(2, block.records(folder .. "/log", function(record)
      seen[#seen + 1] = record.op .. record.data:tostring()
    end))
    assert.same({ "pwritea", "pwritec" }, seen)
  end)

  it("ends at the first record that is not whole", function()
    local node = open_log()
    for i = 1, 3 do assert(node:pwrite(("x"):rep(1000), i)) end
    assert(node:close())
    local f <close> = assert(aio.file.open(folder .. "/log", "r+"))
    local target <close> = assert(block.open "mem:64k")
    for _, size in ipairs { 3 * 1064 - 1, 2 * 1064 + 64, 2 * 1064 + 10 } do
      assert(f:truncate(size))
      assert.equal(2, block.replay(folder .. "/log", target))
    end
    assert(f:write_all("?", 1064 + 100))
    assert.equal(1, block.replay(folder .. "/log", target))
    assert(f:truncate(0))
    assert.equal(0, block.replay(folder .. "/log", target))
  end)

  it("says what is wrong", function()
    fails(E.ENOENT, "ENOENT", block.open("log:[mem:1M]?to=" .. folder
      .. "/no/log"))
    local target <close> = assert(block.open "mem:64k")
    fails(E.ENOENT, "ENOENT", block.replay(folder .. "/none", target))
    support.raises("a node expected", block.replay, folder .. "/none")
    local node = open_log()
    assert(node:pwrite("x", 1000))
    assert(node:close())
    local small <close> = assert(block.open "mem:512")
    fails(E.ENOSPC, "beyond the end", block.replay(folder .. "/log", small))
  end)
end)
