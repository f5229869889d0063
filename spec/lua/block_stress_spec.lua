-- aio.block: a whole graph at once: files, a cache, a mirror, a log, verified

local aio = require "aio"
local block = require "aio.block"
local support = require "support.block"

local folder

before_each(function() folder = support.folder() end)
after_each(function() support.remove(folder) end)

local BLOCKS <const> = 512

-- Blocks of its own for each worker; all flags and operations, at random.
local function worker(node, own, versions, turns, random)
  for _ = 1, turns do
    local i = own[random(#own)]
    local kind = random(10)
    if kind <= 5 then
      local text = ("<I4I4"):pack(i, random(1 << 30)):rep(64)
      assert(node:pwrite(text, i * 512, kind == 1 and block.flags.FUA or 0))
      versions[i] = text
    elseif kind == 6 then
      assert(node:zero(i * 512, 512))
      versions[i] = ("\0"):rep(512)
    elseif kind == 7 then
      assert(node:flush())
    end
    local text = assert(node:pread(512, i * 512))
    assert(text == versions[i], "block " .. i .. " is not what was written")
  end
end

local function run(node, change)
  local versions, seed = {}, 12345
  local function random(n)
    seed = seed * 1103515245 + 12345 & 0x7fffffff
    return seed // 65536 % n + 1
  end
  for i = 0, BLOCKS - 1 do versions[i] = ("\0"):rep(512) end
  local running = 16
  aio.group(function(g)
    for w = 0, 15 do
      g:spawn(function()
        local own = {}
        for i = w, BLOCKS - 1, 16 do own[#own + 1] = i end
        worker(node, own, versions, 60, random)
        running = running - 1
      end)
    end
    while running > 0 do
      change()
      aio.yield()
    end
  end)
  for i = 0, BLOCKS - 1 do
    assert.is_true(node:pread(512, i * 512) == versions[i])
  end
  return versions
end

describe("a graph of mirror(cow(file), cache(mem))", function()
  it("keeps everything while filters come and go and a child fails", function()
    assert(block.open("file:" .. folder .. "/base?size=256k")):close()
    local cow = assert(block.open("cow:" .. folder .. "/base," .. folder
      .. "/over"))
    local cache = assert(block.open
      "cache:[mem:256k]?mode=writeback&block=4k&size=64k")
    local top <close> = block.filter(assert(block.open { "verify",
      { "mirror", cow, cache }, block = 512 }), {})
    local mirror = top.child.child
    local changes, resyncs = 0, 0
    local versions = run(top, function()
      assert(mirror:insert(function(child)
        return assert(block.open { "log", child, to = folder .. "/log" })
      end))
      aio.yield()
      assert(mirror:remove())
      changes = changes + 1
      if changes % 3 == 0 then
        assert(mirror:replace(assert(block.open "mem:256k"), 2)):close()
        assert(mirror:resync(2))
        resyncs = resyncs + 1
      end
    end)
    assert.is_true(changes >= 3 and resyncs >= 1, changes)
    assert.same({ "good", "good" }, mirror.states)
    assert(top:flush())
    for i = 0, BLOCKS - 1 do
      assert.is_true(mirror.children[2]:pread(512, i * 512) == versions[i])
      assert.is_true(cow:pread(512, i * 512) == versions[i])
    end
  end)

  it("can be replayed from its log", function()
    local node = assert(block.open("log:[cache:[mem:256k]?mode=writeback&"
      .. "block=4k&size=32k]?to=" .. folder .. "/log"))
    local versions = run(node, aio.yield)
    assert(node:close())
    local copy <close> = assert(block.open "mem:256k")
    assert(block.replay(folder .. "/log", copy))
    for i = 0, BLOCKS - 1 do
      assert.is_true(copy:pread(512, i * 512) == versions[i], i)
    end
  end)
end)
