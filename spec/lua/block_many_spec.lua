-- aio.block: nodes on several children: linear, stripe, mirror, quorum

local aio = require "aio"
local block = require "aio.block"
local support = require "support.block"
local E = aio.errno
local extent = block.extent

local fails = support.fails

local function text_of(n, seed)
  local list = {}
  for i = 1, n // 8 do
    list[i] = ("<I8"):pack(i * 7919 + seed)
  end
  return table.concat(list)
end

describe("a linear node", function()
  it("is its children one after the other", function()
    local a = assert(block.open "mem:64k")
    local b = assert(block.open "mem:128k")
    local node <close> = assert(block.open { "linear", a, b })
    assert.equal(196608, node.size)
    local text = text_of(196608, 1)
    assert.is_true(node:pwrite(text, 0))
    assert.equal(text, node:pread(196608, 0))
    assert.equal(text:sub(65537, 65546), b:pread(10, 0))
    assert.is_true(node:trim(65536, 65536))
    assert.is_true(node:zero(60000, 10000))
    assert.equal(text:sub(1, 60000) .. ("\0"):rep(71072)
      .. text:sub(131073), node:pread(196608, 0))
    assert.is_true(node:flush() and node:cache(0, 196608))
    assert.same({ { offset = 65536, length = 65536,
      flags = extent.HOLE | extent.ZERO },
      { offset = 131072, length = 65536, flags = 0 } },
      node:status(65536, 131072))
    assert.equal(65536, node:status(0, 196608)[1].length)
  end)

  it("passes on the error of the child that fails", function()
    local node <close> = assert(block.open
      "linear:mem:64k,[fault:[mem:64k]?ops=pwrite&name=bad]")
    assert.is_true(node:pwrite("x", 65535))
    fails(E.EIO, "(node 'bad': pwrite of 1 bytes at 0)", node:pwrite("xy",
      65535))
  end)
end)

describe("a stripe node", function()
  it("deals chunks out in turn", function()
    local children = {}
    for i = 1, 3 do children[i] = assert(block.open "mem:64k") end
    local node <close> = assert(block.open { "stripe", children[1],
      children[2], children[3], chunk = "4k" })
    assert.equal(196608, node.size)
    local text = text_of(196608, 2)
    assert.is_true(node:pwrite(text, 0))
    assert.equal(text, node:pread(196608, 0))
    assert.equal(text:sub(4097, 8192), children[2]:pread(4096, 0))
    assert.equal(text:sub(12289, 16384), children[1]:pread(4096, 4096))
    assert.equal(text:sub(4001, 13000), node:pread(9000, 4000))
    assert.is_true(node:zero(4000, 9000))
    assert.is_true(node:pread(9000, 4000) == ("\0"):rep(9000))
    assert.equal(text:sub(13001, 13010), node:pread(10, 13000))
  end)

  it("refuses a chunk that is no multiple of the block size", function()
    fails(E.EINVAL, "chunk: a multiple", block.open
      "stripe:mem:64k,mem:64k?chunk=0")
  end)
end)

-- mirror of n memory disks behind fault nodes that fail nothing yet
local function faulty(kind, n, options)
  local desc = { kind }
  for i = 1, n do
    desc[i + 1] = assert(block.open {
      "fault", "mem:4M", ops = "pwrite+pread", probability = 0,
      name = "child" .. i,
    })
  end
  for name, value in pairs(options or {}) do desc[name] = value end
  local node = assert(block.open(desc))
  finally(function() node:close() end)
  return node, node.children
end

local function break_child(child)
  child.probability = nil
end

local function repair_child(child)
  child.probability = 0
end

describe("a mirror node", function()
  it("writes to all and reads from each in turn", function()
    local node, children = faulty("mirror", 3)
    assert.is_true(node:pwrite("same", 5))
    for i = 1, 3 do
      assert.equal("same", children[i]:pread(4, 5))
    end
    children[2].child:pwrite("2", 5)
    local seen = {}
    for _ = 1, 3 do seen[node:pread(1, 5)] = true end
    assert.same({ s = true, ["2"] = true }, seen)
  end)

  it("goes on without a child that fails a write", function()
    local node, children = faulty("mirror", 2)
    assert.is_true(node:pwrite("old", 0))
    break_child(children[1])
    assert.is_true(node:pwrite("new", 0))
    repair_child(children[1])
    assert.equal("failed", node.states[1])
    assert.truthy(node.reasons[1]:find("node 'child1'", 1, true))
    for _ = 1, 4 do assert.equal("new", node:pread(3, 0)) end
    assert.equal("old", children[1]:pread(3, 0))
  end)

  it("reads from the next when one fails, and keeps it", function()
    local node, children = faulty("mirror", 2)
    node:pwrite("data", 0)
    break_child(children[2])
    for _ = 1, 4 do assert.equal("data", node:pread(4, 0)) end
    assert.same({ "good", "good" }, node.states)
    break_child(children[1])
    fails(E.EIO, "(node 'child", node:pread(4, 0))
    fails(E.EIO, "(node 'child", node:pwrite("more", 0))
    assert.same({ "good", "good" }, node.states)
  end)

  it("resyncs a child while it is written", function()
    local node, children = faulty("mirror", 2)
    assert(node:pwrite(text_of(4 << 20, 4), 0))
    break_child(children[2])
    assert(node:pwrite("gone", 0))
    repair_child(children[2])
    local stop, writes, steps = false, 0, 0
    local writer = aio.spawn(function()
      while not stop do
        assert(node:pwrite(("<I8"):pack(writes), writes * 4099 % 4194296))
        writes = writes + 1
        aio.yield()
      end
    end)
    assert.is_true(node:resync(2, function(done, total)
      steps = steps + 1
      assert.equal(4 << 20, total)
      assert.equal(steps << 20, done)
      aio.sleep(0.001)
    end))
    stop = true
    writer:join()
    assert.equal(4, steps)
    assert.is_true(writes > 3)
    assert.same({ "good", "good" }, node.states)
    assert.is_true(children[1]:pread(4 << 20, 0) == children[2]:pread(4 << 20,
      0))
    assert.is_true(node:resync(2))
  end)

  it("has a child that fails during its resync out again", function()
    local node, children = faulty("mirror", 2, { stale = 2 })
    assert(node:pwrite(text_of(4 << 20, 4), 0))
    children[2].ops, children[2].nth = { pwrite = true }, 3
    local ok, message, errno = node:resync(2)
    fails(E.EIO, "node 'child2'", ok, message, errno)
    assert.equal("failed", node.states[2])
    children[2].nth = nil
    assert.is_true(node:resync(2))
    local task = aio.spawn(function() return node:resync(2) end)
    assert.is_true(task:join())
  end)

  it("moves a disk to another one while it is in use", function()
    local source = assert(block.open "mem:4M")
    support.fill(source, 9)
    local target = assert(block.open "mem:4M")
    local node <close> = block.filter(source, {})
    local mirror = assert(node:insert(function(child)
      return assert(block.open { "mirror", child, target, stale = 2 })
    end))
    assert.is_true(mirror:resync(2))
    assert.is_true(node:pwrite("both", 100))
    assert.equal(mirror, node:replace(target))
    assert.is_true(mirror:close()) -- and with it the source
    assert.is_true(source.closed)
    assert.equal("both", node:pread(4, 100))
    assert.equal(("<I8I8"):pack(9, 8191):rep(32), node:pread(512, 8191 * 512))
  end)

  it("treats a child that replaced one as stale", function()
    local node, children = faulty("mirror", 2)
    node:pwrite("x", 0)
    local new = assert(block.open "mem:4M")
    local old = children[2]
    assert.equal(old, node:replace(new, 2))
    old:close()
    for _ = 1, 3 do assert.equal("x", node:pread(1, 0)) end
    assert.is_true(node:resync(2))
    assert.equal("x", new:pread(1, 0))
  end)

  it("finishes a write whose task is cancelled on every child", function()
    local a = assert(block.open "delay:[mem:64k]?write=3ms")
    local b = assert(block.open "mem:64k")
    local node <close> = assert(block.open { "mirror", a, b })
    local task = aio.spawn(function()
      node:pwrite("x", 0)
      aio.yield()
    end)
    aio.yield()
    aio.yield()
    task:cancel()
    assert.is_false((task:pjoin()))
    assert.equal("x", a:pread(1, 0))
    assert.equal("x", b:pread(1, 0))
  end)

  it("zeros fast where one child can, and keeps the others", function()
    local slow = support.recorder()
    local fast = assert(block.open "mem:64k")
    local node <close> = assert(block.open { "mirror", slow, fast })
    node:pwrite("xxxx", 0)
    assert.is_true(node:zero(0, 2, block.flags.FAST_ZERO))
    assert.same({ "good", "good" }, node.states)
    assert.equal("\0\0xx", slow:pread(4, 0))
    assert.equal("\0\0xx", fast:pread(4, 0))
    local other <close> = assert(block.open { "mirror", (support.recorder()) })
    fails(E.ENOTSUP, "zeros would have to be written", other:zero(0, 2,
      block.flags.FAST_ZERO))
  end)

  it("wants children of one size", function()
    fails(E.EINVAL, "the size of 'small' is 32768, of 'mem' 65536",
      block.open "mirror:mem:64k,[mem:32k?name=small]")
    fails(E.EINVAL, "there is no child 3", block.open
      "mirror:mem:64k,mem:64k?stale=3")
  end)
end)

describe("a quorum node", function()
  it("yields what most have, and the odd one is out", function()
    local node, children = faulty("quorum", 3)
    node:pwrite("truth", 0)
    children[2].child:pwrite("lies!", 0)
    assert.equal("truth", node:pread(5, 0))
    assert.same({ "good", "failed", "good" }, node.states)
    assert.is_true(node:resync(2))
    assert.equal("truth", children[2]:pread(5, 0))
    assert.same({ "good", "good", "good" }, node.states)
  end)

  it("needs its number for reads and writes", function()
    local node, children = faulty("quorum", 3)
    node:pwrite("x", 0)
    break_child(children[1])
    assert.is_true(node:pwrite("y", 0))
    assert.equal("y", node:pread(1, 0))
    break_child(children[2])
    fails(E.EIO, "node 'child2'", node:pwrite("z", 0))
    fails(E.EIO, "node 'child2'", node:pread(1, 0))
    repair_child(children[2])
    assert.is_true(node:pwrite("z", 0))
    assert.equal("z", node:pread(1, 0))
  end)

  it("says so when no number of them agrees", function()
    local node, children = faulty("quorum", 3)
    for i = 1, 3 do children[i]:pwrite(tostring(i), 0) end
    fails(E.EIO, "no 2 children agree", node:pread(1, 0))
  end)

  it("wants more than half", function()
    fails(E.EINVAL, "more than half of 2 children", block.open
      "quorum:mem:64k,mem:64k?need=1")
  end)
end)
