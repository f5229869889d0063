-- soakers_block - the soak's work with block devices
--
-- A graph is opened, written by many tasks, changed meanwhile, read back and
-- closed; requests are cancelled in every kind of node that waits.

local aio = require "aio"
local block = require "aio.block"
local soaking = require "lib.soaking"

local rounds = {}

local BLOCK <const> = 4096
local BLOCKS <const> = 32

local function write_and_read(node, i)
  local buf <close> = aio.buf(BLOCK)
  buf:fill(i + 1)
  assert(node:pwrite(buf, i * BLOCK, i % 16 == 0 and block.flags.FUA or 0))
  buf:fill(0)
  assert(node:pread(buf, i * BLOCK))
  assert(buf:unpack(BLOCK - 1, "B") == i + 1)
end

local function change(top)
  assert(top:insert(function(child)
    return assert(block.open { "delay", child })
  end))
  aio.yield()
  assert(top:remove())
end

local function use(top)
  aio.group(function(group)
    for i = 0, BLOCKS - 1 do
      group:spawn(write_and_read, top, i)
    end
    group:spawn(change, top)
  end, { limit = 16 })
  assert(top:zero(0, 8 * BLOCK))
  assert(top:trim(8 * BLOCK, 8 * BLOCK))
  assert(top:flush())
  assert(#top:status(0, top.size) > 0)
end

function rounds.block(env)
  local name = ("%s/block%d"):format(env.folder, aio.now_ns())
  local top <close> = block.filter(assert(block.open { "verify",
    { "mirror",
      { "cow", "mem:256k", name .. ".cow" },
      { "cache", { "log", "mem:256k", to = name .. ".log" },
        mode = "writeback", block = "4k", size = "64k" },
    },
  }), {})
  use(top)
  soaking.cancelled(use, top)
  assert(top:close())
  assert(block.replay(name .. ".log", assert(block.open "mem:256k")))
  os.remove(name .. ".cow")
  os.remove(name .. ".log")
end

function rounds.block_waits()
  local node <close> = assert(block.open
    "throttle:[delay:[mem:64k]?write=20ms]?iops=1000&burst=1")
  soaking.cancelled(function() node:pwrite("x", 0) end)
  assert(node.in_flight == 0)
  local _ <close> = node:drain()
  soaking.cancelled(function() node:pread(1, 0) end)
end

return rounds
