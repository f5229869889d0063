-- aio.block: file, mem, null; offset, delay, throttle, fault, trace, verify

local aio = require "aio"
local block = require "aio.block"
local support = require "support.block"
local E = aio.errno
local flags, extent = block.flags, block.extent

local fails = support.fails
local HOLE <const> = extent.HOLE | extent.ZERO
local folder

before_each(function() folder = support.folder() end)
after_each(function() support.remove(folder) end)

describe("a mem node", function()
  it("keeps what is written across pages, and frees what is trimmed", function()
    local node <close> = assert(block.open "mem:1M")
    assert.is_true(node:pwrite(("ab"):rep(1000), 65536 - 1000))
    assert.equal(("ab"):rep(1000), node:pread(2000, 65536 - 1000))
    assert.same({ { offset = 0, length = 131072, flags = 0 },
      { offset = 131072, length = 917504, flags = HOLE } },
      node:status(0, 1 << 20))
    assert.is_true(node:trim(65536 - 2, 4))
    assert.equal("b\0\0\0\0b", "b" .. node:pread(4, 65534) .. "b")
    assert.equal("ab", node:pread(2, 65532))
    assert.is_true(node:zero(0, 1 << 20))
    assert.same({ { offset = 0, length = 1 << 20, flags = HOLE } },
      node:status(0, 1 << 20))
  end)

  it("zeros within one page, across pages, and keeps them allocated", function()
    local node <close> = assert(block.open "mem:256k")
    for _, case in ipairs { { 10, 20 }, { 65530, 20 }, { 65536, 65536 },
      { 100, 200000 }, { 0, 262144 }, { 131072, 10 } } do
      for _, bits in ipairs { 0, flags.NO_HOLE, flags.FAST_ZERO } do
        node:pwrite(("x"):rep(262144), 0)
        assert.is_true(node:zero(case[1], case[2], bits))
        assert.equal(("x"):rep(case[1]) .. ("\0"):rep(case[2])
          .. ("x"):rep(262144 - case[1] - case[2]), node:pread(262144, 0))
      end
    end
    assert.is_true(node:zero(0, 262144, flags.NO_HOLE))
    assert.equal(0, node:status(0, 262144)[1].flags)
  end)

  it("can be larger than memory", function()
    local node <close> = assert(block.open "mem:1T")
    assert.is_true(node:pwrite("end", node.size - 3))
    assert.equal("\0end", node:pread(4, node.size - 4))
    assert.is_true(node:zero(0, node.size))
    assert.is_nil(next(node.pages))
    local list = node:status(0, node.size) -- what it has looked at
    assert.equal(1, #list)
    assert.equal(4 << 30, list[1].length)
  end)
end)

describe("a null node", function()
  it("reads zeros and forgets", function()
    local node <close> = assert(block.open "null:1T")
    assert.is_true(node:pwrite("x", 5))
    assert.equal("\0", node:pread(1, 5))
    assert.is_true(node:zero(0, node.size, flags.FAST_ZERO | flags.FUA))
    assert.same({ { offset = 9, length = 7, flags = HOLE } }, node:status(9, 7))
  end)
end)

for _, engine in ipairs { "io_uring", "linux_aio", "threads" } do
  describe("a file node on " .. engine, function()
    it("reads, writes, punches and says where the holes are", function()
      local node <close> = assert(block.open { "file", folder .. "/disk",
        size = "1M", engine = engine })
      assert.is_true(node:pwrite(("x"):rep(8192), 65536, flags.FUA))
      assert.equal("\0x", node:pread(2, 65535))
      assert.is_true(node:zero(65536, 4096))
      assert.is_true(node:zero(69632, 10, flags.NO_HOLE))
      assert.equal(("\0"):rep(4106) .. "x", node:pread(4107, 65536))
      assert.is_true(node:trim(65536, 8192))
      assert.is_true(node:cache(0, 1 << 20))
      assert.is_true(node:flush())
      local at = 0
      for _, part in ipairs(node:status(0, 1 << 20)) do
        assert.equal(at, part.offset)
        at = at + part.length
      end
      assert.equal(1 << 20, at)
      assert.equal(1, #node:status(0, 1 << 20, flags.REQ_ONE))
    end)
  end)
end

describe("a file node", function()
  it("says why it cannot be opened", function()
    fails(E.ENOENT, "ENOENT", block.open(folder .. "/none"))
    fails(E.EINVAL, "unknown option 'durect' (one of direct, engine, name",
      block.open(folder .. "/none?durect=1"))
  end)

  it("grows to the size asked for, and is never cut", function()
    local path = "file:" .. folder .. "/disk"
    assert(block.open(path .. "?size=8k")):close()
    local node <close> = assert(block.open(path .. "?size=1M"))
    assert.equal(1 << 20, node.size)
    fails(E.EINVAL, "it has 1048576 bytes, size=4096 would cut it",
      block.open(path .. "?size=4k"))
    fails(E.EINVAL, "either size or readonly", block.open(path
      .. "?size=1M&readonly=1"))
  end)

  it("opened read-only does not write", function()
    assert(block.open("file:" .. folder .. "/disk?size=4k")):close()
    local node <close> = assert(block.open(folder .. "/disk?readonly=yes"))
    assert.equal(4096, node.size)
    fails(E.EPERM, "read-only", node:pwrite("x", 0))
  end)

  it("says so when the file became shorter below it", function()
    local node <close> = assert(block.open("file:" .. folder
      .. "/disk?size=8k&name=disk"))
    local f <close> = assert(aio.file.open(folder .. "/disk", "r+"))
    assert(f:truncate(4096))
    local ok, message, errno = node:pread(8192, 0)
    fails(E.EIO, "the file has become shorter (node 'disk': pread of 8192 "
      .. "bytes at 0)", ok, message, errno)
  end)

  it("opened direct has the alignment of the file", function()
    assert(block.open("file:" .. folder .. "/disk?size=64k")):close()
    local node <close>, message = block.open(folder .. "/disk?direct=1")
    if not node then
      return pending("no O_DIRECT in the temporary folder: " .. message)
    end
    assert.is_true(node.block_size.min >= 512)
    fails(E.EINVAL, "no multiple of the block size", node:pread(1, 0))
    assert.equal(("\0"):rep(4096), node:pread(4096, 4096))
  end)
end)

describe("an offset node", function()
  it("moves every operation, and nothing outside is reached", function()
    local disk = assert(block.open "mem:1M")
    support.fill(disk, 1)
    local node <close> = assert(block.open { "offset", disk, start = 65536,
      length = 131072 })
    assert.equal(disk:pread(512, 65536), node:pread(512, 0))
    assert.is_true(node:zero(0, 131072))
    assert.is_true(node:pwrite("x", 131071, flags.FUA))
    assert.is_true(node:trim(0, 65536))
    assert.is_true(node:cache(0, 131072))
    assert.same({ { offset = 0, length = 65536, flags = HOLE },
      { offset = 65536, length = 65536, flags = 0 } }, node:status(0, 131072))
    assert.equal("x", disk:pread(1, 196607))
    local before, behind = disk:pread(512, 65024), disk:pread(512, 196608)
    assert.equal(("<I8I8"):pack(1, 127):rep(32), before)
    assert.equal(("<I8I8"):pack(1, 384):rep(32), behind)
    fails(E.EINVAL, "beyond the end", node:pread(1, 131072))
  end)
end)

describe("a delay node", function()
  it("lets many requests wait at once", function()
    local node <close> = assert(block.open "delay:[mem:1M]?read=10ms")
    local start = aio.now()
    aio.group(function(g)
      for i = 0, 63 do
        g:spawn(function() assert(node:pread(1, i)) end)
      end
    end)
    local took = aio.now() - start
    assert.is_true(took >= 0.01 and took < 0.3, took)
    start = aio.now()
    assert(node:pwrite("x", 0))
    assert.is_true(aio.now() - start < 0.01)
  end)
end)

describe("a throttle node", function()
  it("lets so many requests and bytes through", function()
    local node <close> = assert(block.open
      "throttle:[mem:1M]?iops=1000&burst=1")
    local function time(fn)
      local start = aio.now()
      fn()
      return aio.now() - start
    end
    local took = time(function()
      for i = 1, 20 do assert(node:pread(1, i)) end
    end)
    assert.is_true(took >= 0.018, took)
    node:limits { bytes = 1 << 20, burst_bytes = 4096 }
    took = time(function()
      for _ = 1, 5 do assert(node:pwrite(("x"):rep(4096), 0)) end
    end)
    assert.is_true(took >= 0.015, took)
    node:limits {}
    assert.is_nil(node.bytes_rate)
  end)

  it("hands the place of a cancelled request on", function()
    local node <close> = assert(block.open
      "throttle:[mem:1M]?iops=0.1&burst=1")
    assert(node:pread(1, 0))
    local task = aio.spawn(function() node:pread(1, 0) end)
    aio.yield()
    task:cancel()
    assert.is_false((task:pjoin()))
    assert.equal(0, node.in_flight)
  end)
end)

describe("a fault node", function()
  local function open(options)
    local node = assert(block.open("fault:[mem:1M?name=m]?name=f&" .. options))
    finally(function() node:close() end)
    return node
  end

  it("fails requests that touch a range", function()
    local node = open "ops=pread&start=4096&length=512"
    assert.equal("\0", node:pread(1, 4095))
    fails(E.EIO, "EIO: Input/output error (node 'f': pread of 2 bytes at 4095)",
      node:pread(2, 4095))
    fails(E.EIO, "node 'f'", node:pread(1, 4607))
    assert.equal("\0", node:pread(1, 4608))
    assert.is_true(node:pwrite("x", 4096))
    assert.is_true(node:flush())
  end)

  it("fails the nth, or each nth, and no more than count", function()
    local node = open "nth=3&errno=ENOSPC&ops=pwrite+flush"
    local results = {}
    for i = 1, 6 do
      results[i] = (i % 2 == 0 and node:flush() or node:pwrite("x", 0)) or false
    end
    assert.same({ true, true, false, true, true, true }, results)
    local each = open "nth=2&every=1&count=2&errno=ENOSPC"
    for i = 1, 6 do
      local ok, _, errno = each:pwrite("x", 0)
      results[i] = ok or errno
    end
    assert.same({ true, E.ENOSPC, true, E.ENOSPC, true, true }, results)
  end)

  it("fails with a probability that a seed repeats", function()
    local function run(seed)
      local node, list = open("probability=0.3&seed=" .. seed), {}
      for i = 1, 1000 do
        list[i] = node:pread(1, 0) and "." or "x"
      end
      return table.concat(list)
    end
    local first = run(7)
    assert.equal(first, run(7))
    assert.not_equal(first, run(8))
    local _, failed = first:gsub("x", "")
    assert.is_true(failed > 200 and failed < 400, failed)
  end)

  it("tears a write", function()
    local node = open "ops=pwrite&torn=3"
    fails(E.EIO, "pwrite of 6 bytes", node:pwrite("abcdef", 0))
    assert.equal("abc\0\0\0", node:pread(6, 0))
  end)
end)

describe("a trace node", function()
  it("tells of every request when it has ended", function()
    local events = {}
    local node <close> = assert(block.open { "trace",
      "fault:[mem:1M]?ops=flush", name = "t",
      call = function(event) events[#events + 1] = event end })
    node:pwrite("abc", 5, flags.FUA)
    node:pread(3, 5)
    node:flush()
    node:zero(0, 10, flags.NO_HOLE)
    node:status(0, 1)
    local ops = {}
    for i, event in ipairs(events) do
      ops[i] = ("%s %d %d %d %s"):format(event.op, event.off, event.len,
        event.flags, event.ok)
      assert.is_true(event.sec >= 0)
    end
    assert.same({ "pwrite 5 3 1 true", "pread 5 3 0 true", "flush 0 0 0 false",
      "zero 0 10 2 true", "status 0 1 0 true" }, ops)
    assert.equal(E.EIO, events[3].errno)
  end)

  it("writes lines to a file", function()
    local node = assert(block.open("trace:[mem:1M]?name=t&to=" .. folder
      .. "/log"))
    node:pread(1, 7)
    assert.is_true(node:close())
    local f <close> = assert(io.open(folder .. "/log"))
    assert.truthy(f:read("a"):find("^[%d.]+ t pread off=7 len=1 flags=0 "
      .. "us=[%d.]+ ok\n$"))
  end)
end)

describe("a verify node", function()
  it("names the block that is not what was written", function()
    local disk = assert(block.open "mem:1M")
    local node <close> = assert(block.open { "verify", disk, name = "v" })
    support.fill(node, 3)
    assert(node:pread(1 << 20, 0))
    assert.equal(256, node.verified)
    disk:pwrite("?", 8192 + 7)
    fails(E.EIO, "the block of 4096 bytes at 8192 is not what was written: "
      .. "crc32c expected ", node:pread(16384, 4096))
    assert(node:pread(100, 8192)) -- not a whole block: not compared
    assert(node:pwrite("!", 8192)) -- from now on it is not known
    assert(node:pread(4096, 8192))
    assert(node:zero(8192, 4096))
    assert(node:pread(4096, 8192))
    disk:pwrite("?", 8192)
    fails(E.EIO, "at 8192", node:pread(4096, 8192))
    assert(node:trim(8192, 4096))
    assert(node:pread(4096, 8192))
  end)

  it("does not compare what overlapping writes have left", function()
    local disk = assert(block.open "delay:[mem:64k]?write=2ms")
    local node <close> = assert(block.open { "verify", disk })
    aio.group(function(g)
      for i = 1, 8 do
        g:spawn(function() assert(node:pwrite((tostring(i)):rep(4096), 0)) end)
        g:spawn(function() assert(node:pread(4096, 0)) end)
      end
    end)
    assert(node:pread(4096, 0))
    assert.equal(0, node.verified)
    assert(node:pwrite(("z"):rep(4096), 0))
    assert(node:pread(4096, 0))
    assert.equal(1, node.verified)
    assert.is_nil(next(node.writers))
  end)
end)
