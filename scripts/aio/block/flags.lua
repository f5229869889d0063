--- aio.block.flags - the bits that requests and extents carry.
--
-- The numbers are those of the NBD protocol, so that a server passes on what it
-- received and sends what it was given.
local flags = {}

-- Of requests.
flags.request = {
  FUA = 1 << 0, -- on stable storage before it returns: pwrite, zero, trim
  NO_HOLE = 1 << 1, -- zero: the range must stay allocated
  REQ_ONE = 1 << 3, -- status: one extent is enough
  FAST_ZERO = 1 << 4, -- zero: ENOTSUP rather than writing zeros
}

-- Of extents.
flags.extent = {
  HOLE = 1 << 0, -- nothing is allocated there
  ZERO = 1 << 1, -- it reads as zeros
}

return flags
