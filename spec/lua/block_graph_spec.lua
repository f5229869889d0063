-- aio.block: graphs that change while requests go through them

local aio = require "aio"
local block = require "aio.block"
local support = require "support.block"
local E = aio.errno

local fails = support.fails

-- A top node over a disk of `blocks` blocks of 512 bytes, and workers that
-- write ever new contents to blocks of their own and read them back.
local BLOCKS <const> = 256

local function contents(i, version)
  return ("<I8I8"):pack(i, version):rep(32)
end

-- One worker's turn: writes a block of its own, now and then flushes, compares.
local function work(node, state, i)
  local version = (state[i] or 0) + 1
  assert(node:pwrite(contents(i, version), i * 512))
  state[i] = version
  if version % 8 == 0 then
    assert(node:flush())
  end
  assert.equal(contents(i, version), node:pread(512, i * 512))
end

-- Runs change() n times while 16 workers go on; -> requests done.
local function under_load(node, n, change)
  local state, stop, done = {}, false, 0
  aio.group(function(g)
    for worker = 0, 15 do
      g:spawn(function()
        while not stop do
          for i = worker, BLOCKS - 1, 16 do
            work(node, state, i)
            done = done + 1
          end
        end
      end)
    end
    for i = 1, n do
      change(i)
      aio.yield()
    end
    stop = true
  end)
  for i, version in pairs(state) do
    assert.equal(contents(i, version), node:pread(512, i * 512))
  end
  return done
end

local function open_slow()
  return assert(block.open "delay:[mem:128k]?write=0.1ms&read=0.1ms")
end

describe("a drain", function()
  it("waits for what is in flight, holds what comes, and lets go", function()
    local node <close> = block.filter(open_slow(), {})
    local ended = {}
    for i = 1, 2 do
      aio.spawn(function()
        node:pwrite("x", i)
        ended[i] = true
      end)
    end
    aio.yield()
    local drain = node:drain()
    assert.same({ true, true }, ended)
    local late = aio.spawn(function() return node:pread(1, 1) end)
    aio.sleep(0.002)
    assert.equal("ready parked", "ready " .. late:status())
    assert.equal(0, node.in_flight)
    local second = node:drain()
    drain:close()
    drain:close()
    aio.sleep(0.001)
    assert.equal("parked", late:status())
    second:close()
    assert.equal("x", late:join(5))
  end)

  it("that is cancelled lets the requests go on", function()
    local node <close> = block.filter(assert(block.open
      "delay:[mem:64k]?read=10ms"), {})
    local reader = aio.spawn(function() return node:pread(1, 0) end)
    aio.yield()
    local drainer = aio.spawn(function() return node:drain() end)
    aio.yield()
    drainer:cancel()
    assert.is_false((drainer:pjoin()))
    assert.is_nil(node.held)
    assert.equal("\0", reader:join())
    assert.equal("\0", node:pread(1, 0))
  end)

  it("ended by close fails the requests that wait", function()
    local node = block.filter(open_slow(), { name = "top" })
    local drain = node:drain()
    local task = aio.spawn(function() return node:pread(1, 0) end)
    aio.yield()
    assert.is_true(node:close())
    fails(E.ESHUTDOWN, "closed while the request waited (node 'top': pread)",
      task:join())
    drain:close()
    support.raises("is closed", node.drain, node)
  end)
end)

describe("a graph under load", function()
  it("loses nothing in 200 insertions and removals of a filter", function()
    local node <close> = block.filter(open_slow(), { name = "top" })
    local inserted, seen = 0, 0
    local done = under_load(node, 400, function(i)
      if i % 2 == 0 then
        assert(node:remove())
        return
      end
      inserted = inserted + 1
      assert(node:insert(function(child)
        return block.filter(child, {
          pwrite = function(_, buf, off, bits, next)
            seen = seen + 1
            aio.yield()
            return next(buf, off, bits)
          end,
        })
      end))
    end)
    assert.equal(200, inserted)
    assert.is_true(done >= 200 and seen > 0, done)
    assert.equal("delay", node.child.kind)
    assert.equal(1, node.child.parents)
  end)

  it("changes below a shared parent, one of several children", function()
    local node <close> = assert(block.open "linear:mem:64k,mem:64k")
    under_load(node, 50, function(i)
      local index = i % 2 + 1
      assert(node:insert(function(child)
        return assert(block.open { "delay", child })
      end, index))
      aio.yield()
      assert(node:remove(index))
    end)
    assert.equal("mem", node.children[1].kind)
  end)
end)

describe("node:replace", function()
  it("puts another child in place and gives back the old one", function()
    local old = assert(block.open "mem:64k")
    local new = assert(block.open "mem:64k")
    local node <close> = block.filter(old, {})
    node:pwrite("old", 0)
    new:pwrite("new", 0)
    assert.equal(old, node:replace(new))
    assert.equal("new", node:pread(3, 0))
    assert.equal("old", old:pread(3, 0))
    assert.is_true(old:close())
  end)

  it("refuses what does not fit", function()
    local node <close> = block.filter(assert(block.open "mem:64k"),
      { name = "top" })
    local small <close> = assert(block.open "mem:32k?name=small")
    fails(E.EINVAL, "'small' cannot be a child of 'top': its size is 32768, "
      .. "not 65536", node:replace(small))
    local coarse <close> = block.device { size = 65536, block_size = 512,
      pread = function() return true end, name = "coarse" }
    fails(E.EINVAL, "it needs other block sizes", node:replace(coarse))
    local readonly <close> = block.device { size = 65536,
      pread = function() return true end }
    fails(E.EINVAL, "it is read-only", node:replace(readonly))
    local above = block.filter(node, {})
    fails(E.EINVAL, "the graph would have a cycle", node:replace(above))
    assert.is_true(above:close() and node.closed)
  end)

  it("raises for what is no node or no child", function()
    local node <close> = block.filter(assert(block.open "mem:64k"), {})
    support.raises("a node expected, got nil", node.replace, node)
    support.raises("has no child 2", node.replace, node, node.child, 2)
    support.raises("a node expected", node.insert, node, function()
      return 1
    end)
    assert.equal("\0", node:pread(1, 0)) -- the drain has ended
  end)
end)

describe("node:insert and node:remove", function()
  it("leave all as it was when they fail", function()
    local node <close> = block.filter(assert(block.open "mem:64k"),
      { name = "top" })
    fails(E.ENOSPC, "no room", node:insert(function()
      return nil, "no room", E.ENOSPC
    end))
    fails(E.EINVAL, "its size is 512", node:insert(function(child)
      return assert(block.open { "offset", child, length = 512 })
    end))
    assert.equal(1, node.child.parents)
    fails(E.EINVAL, "'mem' cannot be removed from below 'top': it is no filter",
      node:remove())
    assert.is_true(node:pwrite("x", 0))
  end)

  it("flush a filter before it is taken out", function()
    local held = {}
    local node <close> = block.filter(assert(block.open "mem:64k"), {})
    assert(node:insert(function(child)
      return block.filter(child, {
        pwrite = function(_, buf, off)
          held[off] = buf:tostring()
          return true
        end,
        pread = function(_, buf, off, next)
          local ok = next(buf, off)
          return ok and held[off] and buf:set(0, held[off]) and true or ok
        end,
        flush = function(self, next)
          for off, text in pairs(held) do
            assert(self.child:pwrite(text, off))
          end
          held = {}
          return next()
        end,
      })
    end))
    assert(node:pwrite("late", 7))
    assert.is_true(node:remove())
    assert.equal("late", node:pread(4, 7))
  end)
end)
