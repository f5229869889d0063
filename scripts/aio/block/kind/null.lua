--- aio.block.kind.null - reads are zeros, writes go nowhere.
local block_flags = require "aio.block.flags"
local make = require "aio.block.make"

local ALL_HOLE <const> = block_flags.extent.HOLE | block_flags.extent.ZERO

local function yes()
  return true
end

return {
  options = { size = "size" }, argument = "size", example = "null:1G",
  open = function(options)
    return make.device {
      kind = "null", name = options.name, size = options.size, fua = true,
      pread = function(_, buf)
        buf:fill(0)
        return true
      end,
      pwrite = yes, flush = yes, trim = yes, zero = yes, cache = yes,
      status = function(_, off, len)
        return { { offset = off, length = len, flags = ALL_HOLE } }
      end,
    }
  end,
}
