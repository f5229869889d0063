-- aio.block: the checked face, devices and filters

local aio = require "aio"
local block = require "aio.block"
local support = require "support.block"
local E = aio.errno
local flags = block.flags

local assert_fails, recorder = support.fails, support.recorder

describe("a node's face", function()
  it("reads and writes buffers, slices and strings", function()
    local node <close> = recorder()
    local buf <close> = aio.buf(16)
    assert.is_true(node:pwrite("hello", 100))
    assert.is_true(node:pread(buf:slice(2, 5), 100))
    assert.equal("\0\0hello\0", buf:tostring(0, 8))
    assert.equal("hello", node:pread(5, 100))
    assert.is_true(node:pwrite(buf, 0))
    assert.equal("hello", node:pread(5, 2))
  end)

  it("refuses ranges beyond the end and says which node and where", function()
    local node <close> = recorder()
    local buf <close> = aio.buf(4)
    assert_fails(E.EINVAL, "(node 'rec': pread of 4 bytes at 65533)",
      node:pread(buf, 65533))
    assert_fails(E.EINVAL, "the size is 65536", node:pread(1, 65536))
    assert_fails(E.ENOSPC, "the size is 65536", node:pwrite(buf, 65533))
    assert_fails(E.EINVAL, "beyond", node:pread(buf, -1))
    assert_fails(E.EINVAL, "beyond", node:pread(buf, math.maxinteger))
    assert_fails(E.EINVAL, "beyond", node:pread(-1, 0))
    assert_fails(E.EINVAL, "beyond", node:trim(0, math.maxinteger))
    assert_fails(E.EINVAL, "beyond", node:zero(65000, 537))
    assert_fails(E.EINVAL, "beyond", node:status(1, -1))
    assert_fails(E.EINVAL, "beyond", node:cache(math.mininteger, 1))
  end)

  it("does nothing for a length of 0 but check it", function()
    local node <close>, calls = recorder()
    assert.equal("", node:pread(0, 65536))
    assert.is_true(node:pwrite("", 65536))
    assert.is_true(node:zero(0, 0))
    assert.is_true(node:trim(0, 0))
    assert.is_true(node:cache(0, 0))
    assert.same({}, node:status(0, 0))
    assert_fails(E.ENOSPC, "beyond", node:pwrite("", 65537))
    assert.same({}, calls)
  end)

  it("refuses what is not aligned, and requests that are too large", function()
    local node <close> = recorder { block_size = { min = 512, max = 8192 } }
    assert.same({ min = 512, preferred = 4096, max = 8192 }, node.block_size)
    assert_fails(E.EINVAL, "the offset is no multiple of the block size, 512",
      node:pread(512, 1))
    assert_fails(E.EINVAL, "the length is no multiple", node:pread(511, 512))
    assert_fails(E.EINVAL, "the length is no multiple", node:trim(0, 100))
    assert_fails(E.EINVAL, "more than the 8192 bytes", node:pwrite(
      ("x"):rep(8704), 0))
    assert.is_true(node:zero(0, 65536))
  end)

  it("does not write when it is read-only, but flushes", function()
    local node <close>, calls = recorder { readonly = true }
    assert_fails(E.EPERM, "read-only (node 'rec': pwrite of 1 bytes at 0)",
      node:pwrite("x", 0))
    assert_fails(E.EPERM, "read-only", node:zero(0, 1))
    assert_fails(E.EPERM, "read-only", node:trim(0, 1))
    assert.is_true(node:flush())
    assert.same({ "flush" }, calls)
    local other <close> = recorder { pwrite = false }
    assert.is_true(other.readonly)
  end)

  it("refuses flags that are unknown or do not apply", function()
    local node <close> = recorder()
    assert_fails(E.EINVAL, "flags 0x10", node:pwrite("x", 0, flags.FAST_ZERO))
    assert_fails(E.EINVAL, "flags 0x2", node:trim(0, 1, flags.NO_HOLE))
    assert_fails(E.EINVAL, "flags 0x100", node:zero(0, 1, 256))
    assert_fails(E.EINVAL, "flags 0x1", node:status(0, 1, flags.FUA))
  end)

  it("raises for wrong types", function()
    local node <close> = recorder()
    support.raises("offset: an integer expected, got string", node.pread, node,
      aio.buf(1), "1")
    support.raises("offset: an integer expected, got 0.5", node.pwrite, node,
      "x", 0.5)
    support.raises("a buffer or string expected, got table", node.pwrite, node,
      {}, 0)
    support.raises("length: an integer expected, got nil", node.trim, node, 0)
    support.raises("flags: bits", node.zero, node, 0, 1, "fua")
    support.raises("length: an integer expected, got nil", node.pread, node,
      nil, 0)
  end)

  it("emulates FUA by a flush behind the write", function()
    local node <close>, calls = recorder()
    assert.is_true(node:pwrite("ab", 0, flags.FUA))
    assert.same({ "pwrite 0 2 0", "flush" }, calls)
    assert.is_true(node:zero(0, 4, flags.FUA))
    assert.same({ "pwrite 0 2 0", "flush", "pwrite 0 4 0", "flush" }, calls)
    local knows <close>, seen = recorder { fua = true }
    assert.is_true(knows:pwrite("ab", 0, flags.FUA))
    assert.same({ "pwrite 0 2 1" }, seen)
  end)

  it("fails a FUA write when the flush behind it fails", function()
    local node <close> = recorder {
      flush = function() return nil, nil, E.ENOSPC end,
    }
    assert_fails(E.ENOSPC, "ENOSPC: No space left on device (node 'rec': "
      .. "pwrite of 1 bytes at 5)", node:pwrite("x", 5, flags.FUA))
  end)

  it("emulates zero by writing, and says so where speed is asked", function()
    local node <close> = recorder()
    node:pwrite(("x"):rep(100), 0)
    assert.is_true(node:zero(10, 80))
    assert.equal(("x"):rep(10) .. ("\0"):rep(80) .. ("x"):rep(10),
      node:pread(100, 0))
    assert_fails(E.ENOTSUP, "zeros would have to be written",
      node:zero(0, 10, flags.FAST_ZERO))
    assert.is_false(node.can.zero)
  end)

  it("takes ENOTSUP of a method for its absence", function()
    local node <close> = recorder {
      zero = function() return nil, nil, E.ENOTSUP end,
      trim = function() return nil, nil, E.ENOTSUP end,
      cache = function() return nil, nil, E.ENOTSUP end,
    }
    node:pwrite("xxxx", 0)
    assert.is_true(node:zero(1, 2))
    assert.equal("x\0\0x", node:pread(4, 0))
    assert.is_true(node:trim(0, 4))
    assert.equal("x\0\0x", node:pread(4, 0))
    assert.is_true(node:cache(0, 65536))
  end)

  it("says all is data where there is no status", function()
    local node <close> = recorder()
    assert.same({ { offset = 5, length = 10, flags = 0 } }, node:status(5, 10))
  end)

  it("puts the extents of a method into order of the request", function()
    local node <close> = recorder {
      status = function(_, off)
        return { { length = 10 }, { length = 100, flags = 3 },
          { offset = off + 110, length = 10 } }
      end,
    }
    assert.same({ { offset = 4, length = 10, flags = 0 },
      { offset = 14, length = 50, flags = 3 } }, node:status(4, 60))
    assert.same({ { offset = 4, length = 10, flags = 0 } },
      node:status(4, 60, flags.REQ_ONE))
    local gap <close> = recorder {
      status = function(_, off) return { { offset = off + 1, length = 9 } } end,
    }
    support.raises("one from 0 on expected", gap.status, gap, 0, 10)
  end)
end)

describe("what a method returns", function()
  local function node_with(...)
    local results = table.pack(...)
    return recorder {
      pread = function() return table.unpack(results, 1, results.n) end,
    }
  end

  it("may be the count of bytes, but not a smaller one", function()
    local node <close> = node_with(3)
    assert.equal("\0\0\0", node:pread(3, 0))
    assert_fails(E.EIO, "only 3 bytes were transferred", node:pread(4, 0))
  end)

  it("may be an error number, a message, or both", function()
    for _, case in ipairs {
      { { nil, nil, E.ENOSPC }, "ENOSPC: No space left on device (node",
        E.ENOSPC },
      { { nil, "broken" }, "broken (node 'rec': pread of 1 bytes at 0)",
        E.EIO },
      { { nil, "no key", E.EPERM }, "no key (node 'rec'", E.EPERM },
      { { false, "no" }, "no (node", E.EIO },
    } do
      local node <close> = node_with(table.unpack(case[1], 1, 3))
      assert_fails(case[3], case[2], node:pread(1, 0))
    end
  end)

  it("is an error when it is nothing or something else", function()
    local nothing <close> = node_with()
    local odd <close> = node_with("data")
    assert_fails(E.EIO, "the method returned nothing", nothing:pread(1, 0))
    assert_fails(E.EIO, "the method returned a string", odd:pread(1, 0))
  end)

  it("is raised when it is raised", function()
    local reason = { "a value" }
    local node <close> = recorder {
      pread = function() error(reason) end,
    }
    local ok, err = pcall(node.pread, node, 1, 0)
    assert.is_false(ok)
    assert.equal(reason, err)
    node:drain():close() -- it is not counted as in flight
  end)
end)

describe("block.device", function()
  it("keeps the writer's fields and passes the node first", function()
    local node <close> = block.device {
      size = function(self) return self.blocks * 512 end, blocks = 4,
      pread = function(self, buf)
        self.reads = (self.reads or 0) + 1
        buf:fill(self.reads)
        return true
      end,
    }
    assert.equal(2048, node.size)
    node:pread(1, 0)
    assert.equal("\2", node:pread(1, 0))
    assert.equal(2, node.reads)
    assert.equal("device", node.name)
    assert.truthy(tostring(node):find("'device' (device, 2048 bytes)", 1, true))
  end)

  it("raises for what is no device", function()
    local function pread() end
    for message, spec in pairs {
      ["a table expected, got number"] = 1,
      ["pread: a function expected, got nil"] = { size = 1 },
      ["pwrite: a function expected, got table"] = { size = 1, pread = pread,
        pwrite = {} },
      ["size: a number of bytes expected, got nil"] = { pread = pread },
      ["size: a number of bytes expected, got -1"] = { pread = pread,
        size = -1 },
      ["size: 100 is no multiple of the block size, 512"] = { pread = pread,
        size = 100, block_size = 512 },
      ["a power of 2 up to 65536 expected, got 100"] = { pread = pread,
        size = 100, block_size = 100 },
      ["min <= preferred"] = { pread = pread, size = 0,
        block_size = { min = 512, preferred = 256 } },
      ["field 'drain': nodes have one of this name"] = { pread = pread,
        size = 1, drain = 1 },
      ["field 'held': nodes have one"] = { pread = pread, size = 1, held = 1 },
      ["option 'readonly': a boolean"] = { pread = pread, size = 1,
        readonly = 1 },
      ["children: open nodes expected"] = { pread = pread, size = 1,
        children = { 1 } },
    } do
      support.raises(message, block.device, spec)
    end
  end)
end)

describe("block.filter", function()
  it("passes on what it leaves out", function()
    local child, calls = recorder()
    local node <close> = block.filter(child, { name = "pass" })
    assert.equal(65536, node.size)
    assert.is_true(node:pwrite("x", 0, flags.FUA))
    assert.is_true(node:flush())
    assert.equal("x", node:pread(1, 0))
    assert.same({ "pwrite 0 1 0", "flush", "flush", "pread 0 1" }, calls)
  end)

  it("gets next as the last argument, also without flags", function()
    local child = recorder()
    local node <close> = block.filter(child, {
      size = 32768,
      pread = function(_, buf, off, next) return next(buf, off + 32768) end,
      pwrite = function(_, buf, off, bits, next)
        return next(buf, off + 32768, bits)
      end,
      cache = function(_, off, len, next) return next(off + 32768, len) end,
    })
    assert.is_true(node:pwrite("moved", 1))
    assert.equal("moved", child:pread(5, 32769))
    assert.equal("moved", node:pread(5, 1))
    assert.is_true(node:cache(0, 10))
    assert_fails(E.EINVAL, "(node 'filter'", node:pread(1, 32768))
  end)

  it("is never bypassed where it changes what is written", function()
    local child = recorder {
      zero = function() error("bypassed") end,
      trim = function() error("bypassed") end,
      status = function() error("bypassed") end,
    }
    local node <close> = block.filter(child, {
      pwrite = function(_, buf, off, bits, next)
        local copy <close> = buf:clone()
        for i = 0, #copy - 1 do
          copy:fill(copy:unpack(i, "B") ~ 255, i, 1)
        end
        return next(copy, off, bits)
      end,
    })
    assert.is_true(node:zero(0, 3))
    assert.equal("\255\255\255", child:pread(3, 0))
    assert.is_true(node:trim(0, 3))
    assert.same({ { offset = 0, length = 3, flags = 0 } }, node:status(0, 3))
  end)

  it("leaves the message of the node that failed as it is", function()
    local child = recorder { pread = function() return nil, nil, E.EIO end }
    local middle = block.filter(child, { name = "middle" })
    local node <close> = block.filter(middle, { name = "top" })
    local _, message = node:pread(1, 7)
    assert.equal("EIO: Input/output error (node 'rec': pread of 1 bytes at 7)",
      message)
  end)

  it("wants an open node", function()
    support.raises("an open node expected, got number", block.filter, 1, {})
    local node = recorder()
    node:close()
    support.raises("got a closed one", block.filter, node, {})
  end)
end)

describe("node:close", function()
  it("waits for what is in flight, then refuses, and is idempotent", function()
    local started, ended = false, false
    local node = recorder {
      pread = function()
        started = true
        aio.sleep(0.005)
        ended = true
        return true
      end,
      close = function()
        assert(ended)
        return true
      end,
    }
    local task = aio.spawn(function() return node:pread(1, 0) end)
    while not started do aio.yield() end
    assert.is_true(node:close())
    assert.is_true(ended)
    assert.equal("\0", task:join())
    assert.is_true(node:close())
    support.raises("the node 'rec' is closed", node.pread, node, 1, 0)
    support.raises("the node 'rec' is closed", node.flush, node)
  end)

  it("closes the children that nobody else uses", function()
    local shared, own = recorder(), recorder()
    local a = block.filter(shared, {})
    local b <close> = block.filter(shared, {})
    local c = block.device { size = 1, children = { own, a },
      pread = function() return true end }
    assert_fails(E.EBUSY, "other nodes stand on it (node 'rec': close)",
      own:close())
    assert.is_true(c:close())
    assert.is_true(own.closed and a.closed)
    assert.is_nil(shared.closed)
    assert.is_true(b:flush())
  end)

  it("returns the error of a child", function()
    local child = recorder {
      close = function() return nil, "late", E.EIO end,
    }
    local node = block.filter(child, {})
    assert_fails(E.EIO, "late", node:close())
    assert.is_true(child.closed)
  end)

  it("is complete when the closing task is cancelled", function()
    local node = recorder { pread = function()
      aio.sleep(0.005)
      return true
    end }
    local reader = aio.spawn(function() return node:pread(1, 0) end)
    aio.yield()
    local closer = aio.spawn(function() node:close() end)
    aio.yield()
    closer:cancel()
    closer:pjoin()
    assert.equal(0, node.in_flight)
    assert.equal("\0", reader:join())
  end)
end)

describe("a cancelled request", function()
  it("is no longer in flight", function()
    local node <close> = recorder { pread = function() aio.sleep(60) end }
    local task = aio.spawn(function() node:pread(1, 0) end)
    aio.yield()
    assert.equal(1, node.in_flight)
    task:cancel()
    assert.is_false((task:pjoin()))
    assert.equal(0, node.in_flight)
  end)
end)
