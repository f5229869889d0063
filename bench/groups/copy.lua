-- copy - a whole file: aioctl copy against qemu-img convert
--
-- Same source, same file system, O_DIRECT on both sides, both flush before
-- they end.  The disk hands out bandwidth like a token bucket, so each side
-- idles for the same time before it starts, and the target is new each time.

local shell = require "lib.shell"

local function make_source(path, mebibytes)
  if not shell.exists(path) then
    shell.output({ "dd", "if=/dev/urandom", "of=" .. path .. ".new", "bs=1M",
      "count=" .. mebibytes, "conv=fsync", "status=none" })
    assert(os.rename(path .. ".new", path))
  end
end

-- A side that runs a copying command and tells MB/s and CPU seconds.
local function side(env, mebibytes, words)
  return function()
    local run = shell.json({ env.program("measure"), 1,
      table.unpack(words) })
    return {
      rate = mebibytes * 1.048576 / run.wall,
      cpu = run.user + run.sys,
    }
  end
end

return function(env)
  local mebibytes = env.smoke and 8 or 1024
  local source = env.data .. "/copy-source-" .. mebibytes
  local target = env.data .. "/copy-target"
  local function needs()
    if not shell.has("qemu-img") then
      return "no qemu-img"
    end
    make_source(source, mebibytes)
    return nil
  end
  return {
    {
      name = "copy --direct : qemu-img convert -W -m 16",
      needs = needs,
      prepare = function()
        os.remove(target)
      end,
      idle = env.smoke and 0 or 2,
      rounds = 7,
      ours = side(env, mebibytes, { env.aioctl, "copy", "--direct",
        "--progress", "never", source, target }),
      peer = side(env, mebibytes, { "qemu-img", "convert", "-W", "-m", 16,
        "-t", "none", "-T", "none", "-f", "raw", "-O", "raw", source,
        target }),
      metrics = {
        { key = "rate", unit = "MB/s", goal = ">=1.0" },
        { key = "cpu", name = "CPU", unit = "s", goal = "<=0.5" },
      },
    },
  }
end
