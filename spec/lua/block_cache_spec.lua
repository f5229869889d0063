-- aio.block: the cache, what it keeps back and what a flush brings down

local aio = require "aio"
local block = require "aio.block"
local support = require "support.block"
local E = aio.errno

local fails = support.fails

-- cache over a disk of `size` that counts what reaches it; -> node, disk, calls
local function open(options, disk)
  local calls = { pread = 0, pwrite = 0, flush = 0 }
  disk = disk or assert(block.open "mem:1M")
  local counter = assert(block.open { "trace", disk, call = function(event)
    calls[event.op] = (calls[event.op] or 0) + 1
  end })
  local desc = { "cache", counter }
  for name, value in options:gmatch("(%w+)=(%w+)") do desc[name] = value end
  local node = assert(block.open(desc))
  finally(function() node:close() end)
  return node, disk, calls
end

describe("a cache node", function()
  for _, mode in ipairs { "writethrough", "writeback" } do
    it("reads a block once, in mode " .. mode, function()
      local node, disk, calls = open("mode=" .. mode)
      disk:pwrite("data", 65534)
      for _ = 1, 10 do assert.equal("data", node:pread(4, 65534)) end
      assert.equal(2, calls.pread)
      assert.equal(2, node.misses)
      assert.equal(18, node.hits)
    end)

    it("is the same disk for many tasks, in mode " .. mode, function()
      local slow = assert(block.open "delay:[mem:64k]?all=0.1ms")
      local node, _, calls = open("mode=" .. mode .. "&block=1k&size=8k", slow)
      local versions = {}
      aio.group(function(g)
        for worker = 0, 15 do
          g:spawn(function()
            for turn = 1, 6 do
              for i = worker, 127, 16 do
                local text = ("<I4I4"):pack(i, turn):rep(64)
                assert(node:pwrite(text, i * 512))
                assert.equal(text, node:pread(512, i * 512))
                versions[i] = text
              end
              if turn % 2 == 0 then assert(node:flush()) end
            end
          end)
        end
        g:spawn(function() -- all of it, while the others go on
          for _ = 1, 3 do
            assert(node:pread(65536, 0))
          end
        end)
      end)
      assert.is_true(node.cached <= 8)
      assert(node:flush())
      for i = 0, 127 do
        assert.equal(versions[i], node:pread(512, i * 512))
        assert.equal(versions[i], slow:pread(512, i * 512))
      end
      assert.is_true(calls.pwrite > 0)
    end)

    it("zeros what is in memory too, in mode " .. mode, function()
      local node, disk = open("mode=" .. mode .. "&block=4k")
      assert(node:pwrite(("x"):rep(16384), 0))
      assert(node:zero(1000, 9000))
      local expected = ("x"):rep(1000) .. ("\0"):rep(9000) .. ("x"):rep(6384)
      assert.is_true(node:pread(16384, 0) == expected)
      assert(node:zero(1 << 19, 1 << 19))
      assert(node:flush())
      assert.is_true(disk:pread(16384, 0) == expected)
    end)
  end

  it("writes through before it returns", function()
    local node, disk, calls = open "mode=writethrough"
    assert(node:pread(1, 0))
    assert(node:pwrite("now", 10))
    assert.equal("now", disk:pread(3, 10))
    assert.equal("now", node:pread(3, 10))
    assert.equal(1, calls.pread)
  end)

  it("keeps writes back until they are flushed", function()
    local node, disk, calls = open "mode=writeback"
    for i = 1, 100 do assert(node:pwrite(tostring(i), 0)) end
    assert.equal("\0", disk:pread(1, 0))
    assert.same({ { offset = 0, length = 10, flags = 0 } }, node:status(0, 10))
    assert(node:flush())
    assert.equal("100", disk:pread(3, 0))
    assert.equal(1, calls.pwrite)
    assert.equal(1, calls.flush)
    assert(node:flush())
    assert.equal(1, calls.pwrite)
    assert(node:pwrite("fua", 0, block.flags.FUA))
    assert.equal("fua", disk:pread(3, 0))
  end)

  it("writes what makes room, and what is left when it is closed", function()
    local disk = assert(block.open "mem:1M")
    local holder <close> = block.filter(disk, {})
    local node = assert(block.open { "cache", disk, mode = "writeback",
      block = "4k", size = "16k" })
    for i = 0, 9 do assert(node:pwrite("b" .. i, i * 4096)) end
    assert.equal(4, node.cached)
    for i = 0, 5 do assert.equal("b" .. i, disk:pread(2, i * 4096)) end
    assert.equal("\0", disk:pread(1, 9 * 4096))
    assert.is_true(node:close())
    for i = 0, 9 do assert.equal("b" .. i, holder:pread(2, i * 4096)) end
  end)

  it("keeps what cannot be written, says so, and tries again", function()
    local disk = assert(block.open "fault:[mem:1M]?ops=pwrite&name=bad")
    local node = open("mode=writeback&block=4k&size=8k", disk)
    assert(node:pwrite("one", 0))
    fails(E.EIO, "(node 'bad': pwrite of 4096 bytes at 0)", node:flush())
    assert.equal("one", node:pread(3, 0))
    assert(node:pwrite("two", 4096))
    assert.equal("\0", node:pread(1, 8192)) -- no room: past the cache
    fails(E.EIO, "node 'bad'", node:pwrite("three", 12288))
    disk.count = 0
    assert(node:flush())
    assert.equal("one", disk:pread(3, 0))
    assert.equal("two", disk:pread(3, 4096))
  end)

  it("does not believe a block whose write through has failed", function()
    local disk = assert(block.open "fault:[mem:1M]?ops=pwrite&torn=2")
    local node = open("mode=writethrough", disk)
    assert(node:pread(1, 0))
    fails(E.EIO, "EIO", node:pwrite("abcd", 0))
    assert.equal("ab\0\0", node:pread(4, 0))
  end)

  it("brings down a write that changes while it is written", function()
    local slow = assert(block.open "delay:[mem:64k]?write=20ms")
    local node = open("mode=writeback", slow)
    assert(node:pwrite("old", 0))
    local flush = aio.spawn(function() return node:flush() end)
    aio.sleep(0.001)
    assert(node:pwrite("new", 0))
    assert(flush:join())
    assert.equal("new", node:pread(3, 0))
    assert(node:flush())
    assert.equal("new", slow:pread(3, 0))
  end)

  it("lets a cancelled flush be made again", function()
    local slow = assert(block.open "delay:[mem:64k]?write=20ms")
    local node = open("mode=writeback", slow)
    assert(node:pwrite("late", 0))
    local flush = aio.spawn(function() return node:flush() end)
    aio.sleep(0.001)
    flush:cancel()
    assert.is_false((flush:pjoin()))
    assert(node:flush())
    assert.equal("late", slow:pread(4, 0))
  end)

  it("is taken out of a graph without loss", function()
    local top <close> = block.filter(assert(block.open "mem:64k"), {})
    assert(top:insert(function(child)
      return assert(block.open { "cache", child, mode = "writeback" })
    end))
    assert(top:pwrite("kept", 5))
    assert(top:remove())
    assert.equal("mem", top.child.kind)
    assert.equal("kept", top:pread(4, 5))
  end)

  it("reads another child anew, and keeps what is dirty", function()
    local node, disk = open "mode=writeback&block=4k"
    assert(disk:pwrite("old", 0))
    assert(node:pread(3, 0))
    assert(node:pwrite("dirty", 4096))
    local other = assert(block.open "mem:1M")
    assert(other:pwrite("new", 0))
    assert(node:replace(other)):close()
    assert.equal("new", node:pread(3, 0))
    assert(node:flush())
    assert.equal("dirty", other:pread(5, 4096))
  end)

  it("refuses options that make no sense", function()
    fails(E.EINVAL, "one of writethrough, writeback expected, got 'back'",
      block.open "cache:[mem:1M]?mode=back")
    fails(E.EINVAL, "block: a power of 2 from 512 on expected, got 1000",
      block.open "cache:[mem:1M]?block=1000")
  end)
end)
