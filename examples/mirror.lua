-- mirror - copies a tree, 16 files at a time: aioctl mirror.lua FROM TO [SEC]
--
-- What is copied gets its name when it is whole and on the disk: Ctrl-C leaves
-- no half of a file. SEC (60) bounds each. Without arguments it tries itself.
--
-- Output:
--   2 copied, N bytes, 0 failures

local aio, file, proc = require "aio", require "aio.file", require "aio.proc"
local made = not arg[2] and proc.run { "mktemp", "-d" }.out:sub(1, -2)
local from, to = arg[1] or arg[0]:match("(.*)/") .. "/lab", arg[2] or made
local seconds, copied, bytes = tonumber(arg[3] or 60), 0, 0
local folders, failures, wipe = {}, 0, aio.isatty(2) and "\r\27[K" or ""
local function check(path, ok, message)
  if ok then return ok end
  failures = failures + 1
  io.stderr:write(wipe, (path .. ": " .. message):gsub("%c", "?"), "\n")
end
local make = { file = function(source, part)
  return aio.timeout(seconds, file.copy, source, part)
end, link = function(source, part)
  return file.symlink(assert(file.readlink(source)), part)
end }
local function put(kind, source, target, part)
  local _ <close> = setmetatable({}, { __close = function()
    aio.shield(file.unlink, part) -- which is gone if all went well
  end })
  local size = check(source, make[kind](source, part))
  if size and check(target, file.rename(part, target)) then
    copied, bytes = copied + 1, bytes + (tonumber(size) or 0)
  end
end
local function walk(g, source, target)
  local perm = assert(file.stat(source)).perm
  local names = check(source, file.readdir(source)) or {}
  file.mkdir(target) -- if that fails what follows fails, and is told
  check(target, file.chmod(target, 448)) -- 0700, until all is in it
  table.insert(folders, 1, { target, perm })
  for i, name in ipairs(names) do
    local path, copy = source .. "/" .. name, target .. "/" .. name
    local kind = assert(file.lstat(path)).type
    local part = ("%s/.mirror-%d-%d"):format(target, i, aio.now_ns())
    if kind == "directory" then walk(g, path, copy)
    elseif make[kind] then g:spawn(put, kind, path, copy, part)
    else check(path, nil, "a " .. kind .. " is not copied") end
  end
end
if wipe ~= "" then aio.every(0.2, function()
  io.stderr:write(("\r%d copied, %d MB"):format(copied, bytes // 1000000))
end) end
local ok, err = pcall(aio.group, function(g)
  walk(g, from, to)
end, { limit = 16 })
io.stderr:write(wipe)
local function why() return "stopped: " .. tostring(err) end
if not ok then error(setmetatable({}, { __tostring = why })) end
for _, f in ipairs(folders) do check(f[1], file.chmod(f[1], f[2])) end
if made then proc.run { "rm", "-r", made } end
print(("%d copied, %d bytes, %d failures"):format(copied, bytes, failures))
os.exit(failures == 0)
