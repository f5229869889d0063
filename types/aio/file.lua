---@meta aio.file
-- Types of aio.file.

---@class aio.file
---@field methods table<string, function>
local file = {}
---@class File
---@field fd integer
---@field path string
---@field engine string
---@field fallback string|nil
---@field direct boolean
---@field align integer
---@field registered boolean
local File = {}

---@class aio.OpenOptions
---@field direct? boolean|"try"
---@field engine? string
---@field create? boolean
---@field excl? boolean
---@field perm? integer
---@field sync? boolean
---@field register? boolean

---@class aio.Stat
---@field type string
---@field size integer
---@field mode integer
---@field perm integer
---@field uid integer
---@field gid integer
---@field nlink integer
---@field ino integer
---@field dev integer
---@field rdev integer
---@field blksize integer
---@field blocks integer
---@field atime number
---@field mtime number
---@field ctime number
---@field btime? number
---@field dio_memory_align? integer
---@field dio_offset_align? integer

---@param path string
---@param mode? string
---@param options? aio.OpenOptions
---@return File|nil, string?, integer?
function file.open(path, mode, options) end

---@param folder? string
---@param options? aio.OpenOptions
---@return File|nil, string?, integer?
function file.tmp(folder, options) end

---@param path string
---@return aio.Stat|nil, string?, integer?
function file.stat(path) end

---@param path string
---@return aio.Stat|nil, string?, integer?
function file.lstat(path) end

---@param path string
---@param perm? integer
---@return true|nil, string?, integer?
function file.mkdir(path, perm) end

---@param path string
---@return true|nil, string?, integer?
function file.rmdir(path) end

---@param path string
---@return true|nil, string?, integer?
function file.unlink(path) end

---@param from string
---@param to string
---@return true|nil, string?, integer?
function file.rename(from, to) end

---@param from string
---@param to string
---@return true|nil, string?, integer?
function file.link(from, to) end

---@param target string
---@param path string
---@return true|nil, string?, integer?
function file.symlink(target, path) end

---@param path string
---@return string[]|nil, string?, integer?
function file.readdir(path) end

---@return true|nil, string?, integer?
function File:close() end

---@param what aio.What
---@param offset integer
---@param sec? aio.Wait
---@return string|integer|nil, string?, integer?
function File:pread(what, offset, sec) end

---@param what aio.What
---@param offset integer
---@param sec? aio.Wait
---@return string|integer|nil, string?, integer?
function File:read_exact(what, offset, sec) end

---@param what aio.What
---@param offset integer
---@param sec? aio.Wait
---@return integer|nil, string?, integer?
function File:pwrite(what, offset, sec) end

---@param what aio.What
---@param offset integer
---@param sec? aio.Wait
---@return integer|nil, string?, integer?
function File:write_all(what, offset, sec) end

---@param list (Buf|string)[]
---@param offset integer
---@param sec? aio.Wait
---@return integer|nil, string?, integer?
function File:preadv(list, offset, sec) end

---@param list (Buf|string)[]
---@param offset integer
---@param sec? aio.Wait
---@return integer|nil, string?, integer?
function File:pwritev(list, offset, sec) end

---@param what aio.What
---@param sec? aio.Wait
---@return string|integer|nil, string?, integer?
function File:read(what, sec) end

---@param what aio.What
---@param sec? aio.Wait
---@return integer|nil, string?, integer?
function File:write(what, sec) end

---@param keep? boolean
---@return fun(): string|nil
function File:lines(keep) end

---@param sec? aio.Wait
---@return true|nil, string?, integer?
function File:fsync(sec) end

---@param sec? aio.Wait
---@return true|nil, string?, integer?
function File:fdatasync(sec) end

---@param sec? aio.Wait
---@return true|nil, string?, integer?
function File:nop(sec) end

---@return integer|nil, string?, integer?
function File:size() end

---@param size integer
---@return true|nil, string?, integer?
function File:truncate(size) end

---@param off integer
---@param len integer
---@param sec? aio.Wait
---@return true|nil, string?, integer?
function File:allocate(off, len, sec) end

---@param off integer
---@param len integer
---@param sec? aio.Wait
---@return true|nil, string?, integer?
function File:punch(off, len, sec) end

---@param off integer
---@param len integer
---@param sec? aio.Wait
---@return true|nil, string?, integer?
function File:zero(off, len, sec) end

---@param off integer
---@param len integer
---@return true|nil, string?, integer?
function File:discard(off, len) end

---@param off integer
---@return integer|nil, string?, integer?
function File:seek_data(off) end

---@param off integer
---@return integer|nil, string?, integer?
function File:seek_hole(off) end

---@return aio.Stat|nil, string?, integer?
function File:stat() end

---@return aio.Stat|nil, string?, integer?
function File:statx() end

---@param perm integer
---@return true|nil, string?, integer?
function File:chmod(perm) end

---@return true|nil, string?, integer?
function File:drop_cache() end

---@param off integer
---@param to File
---@param to_off integer
---@param len integer|string
---@return integer|nil n
---@return string? message
---@return integer? errno
function File:copy_range(off, to, to_off, len) end

---@param off? integer
---@param to any
---@param to_off? integer
---@param len integer|string
---@param sec? aio.Wait
---@return integer|nil n
---@return string? message
---@return integer? errno
function File:splice(off, to, to_off, len, sec) end

---@class aio.LockOptions
---@field offset? integer
---@field length? integer
---@field timeout? number

---@class FileLock
local FileLock = {}

---@param mode "shared"|"exclusive"
---@param options? number|aio.LockOptions
---@return FileLock|nil lock
---@return string? message
---@return integer? errno
function File:lock(mode, options) end

---@return true|nil, string?, integer?
function FileLock:unlock() end

---@return true|nil, string?, integer?
function FileLock:close() end

---@param mode "shared"|"exclusive"
---@param off? integer
---@param len? integer
---@return boolean|nil, string?, integer?
function File:try_lock(mode, off, len) end

---@param off? integer
---@param len? integer
---@return true|nil, string?, integer?
function File:unlock(off, len) end

---@alias aio.Advice
---| "normal"
---| "sequential"
---| "random"
---| "willneed"
---| "dontneed"
---| "noreuse"

---@param what aio.Advice
---@param off? integer
---@param len? integer
---@return true|nil, string?, integer?
function File:advise(what, off, len) end

---@class aio.CopyOptions
---@field depth? integer
---@field block? integer|string
---@field direct? boolean
---@field engine? string
---@field force? boolean

---@param from string
---@param to string
---@param options? aio.CopyOptions
---@return integer|nil bytes
---@return string? message
---@return integer? errno
function file.copy(from, to, options) end

---@return File
function file.stdin() end

---@return File
function file.stdout() end

---@return File
function file.stderr() end

---@class aio.WatchEvent
---@field kind string
---@field path string
---@field name? string
---@field dir? true
---@field cookie? integer

---@class Watch
local Watch = {}

---@param path string
---@param options? {events: string[]}
---@return Watch|nil watch
---@return string? message
---@return integer? errno
function file.watch(path, options) end

---@param sec? aio.Wait
---@return aio.WatchEvent|nil event
---@return string? message
---@return integer? errno
function Watch:next(sec) end

---@return fun(): aio.WatchEvent
function Watch:iter() end

---@param path string
---@return true|nil, string?, integer?
function Watch:add(path) end

---@return integer
function Watch:fd() end

function Watch:close() end

return file
