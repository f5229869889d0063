---@meta _
-- Types of buffers.

---@class aio
local aio = {}
---@class Buf
---@operator len: integer
local Buf = {}
---@class BufPool
---@operator len: integer
local BufPool = {}

---@class aio.BufOptions
---@field size aio.Size
---@field align? aio.Size
---@field register? boolean
---@field count? integer buffers of a pool

---@param options aio.Size|aio.BufOptions
---@return Buf
function aio.buf(options) end

---@param off integer
---@param len? integer
---@return Buf
function Buf:slice(off, len) end

---@param off? integer
---@param len? integer
---@return string
function Buf:tostring(off, len) end

---@param off integer
---@param s string
---@return Buf
function Buf:set(off, s) end

---@param byte integer|string
---@param off? integer
---@param len? integer
---@return Buf
function Buf:fill(byte, off, len) end

---@param dst_off integer
---@param src Buf
---@param src_off? integer
---@param len? integer
---@return Buf
function Buf:copy(dst_off, src, src_off, len) end

---@return Buf
function Buf:clone() end

---@param s string
---@param off? integer
---@return integer|nil
function Buf:find(s, off) end

---@param other Buf|string
---@return boolean
function Buf:equal(other) end

---@param other Buf
---@return integer|nil
function Buf:mismatch(other) end

---@param off? integer
---@param len? integer
---@return boolean
function Buf:is_zero(off, len) end

---@param off? integer
---@param len? integer
---@param crc? integer
---@return integer
function Buf:crc32c(off, len, crc) end

---@param off integer
---@param fmt string
---@return integer after
function Buf:pack(off, fmt, ...) end

---@param off integer
---@param fmt string
---@return any ...
function Buf:unpack(off, fmt) end

---@return Buf
function Buf:move() end

function Buf:close() end

---@return boolean
function Buf:is_closed() end

---@return boolean
function Buf:is_registered() end

---@param options aio.BufOptions
---@return BufPool
function aio.bufpool(options) end

---@param sec? aio.Wait
---@return Buf|nil, string?, integer?
function BufPool:get(sec) end

---@return Buf|nil
function BufPool:try_get() end

---@return {count: integer, size: integer, free: integer, waiting: integer}
function BufPool:stats() end

function BufPool:close() end
