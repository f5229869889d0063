-- host - the aioctl under test, and running programs from specs

local host = {}

-- ctest names the binary; by hand it is the interpreter that runs busted.
local function find_aioctl()
  local lowest = 0
  while arg and arg[lowest - 1] do
    lowest = lowest - 1
  end
  local path = os.getenv("AIOCTL") or arg[lowest]
  if path:find("/", 1, true) and path:sub(1, 1) ~= "/" then
    path = os.getenv("PWD") .. "/" .. path
  end
  return path
end

host.aioctl = find_aioctl()

function host.quote(word)
  return "'" .. tostring(word):gsub("'", "'\\''") .. "'"
end

-- run(command [, seconds]) -> output (both streams), exit status.  The shell
-- command ends after the deadline (status 124) whatever it does.
function host.run(command, seconds)
  local line = ("timeout %d sh -c %s 2>&1 </dev/null"):format(seconds or 30,
    host.quote(command))
  local pipe = assert(io.popen(line, "r"))
  local output = pipe:read("a")
  local _, kind, code = pipe:close()
  return output, kind == "signal" and 128 + code or code
end

function host.read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

-- each_line{command} -> list of the lines a command prints
function host.lines(command)
  local list = {}
  for line in host.run(command):gmatch("[^\n]+") do
    list[#list + 1] = line
  end
  return list
end

return host
