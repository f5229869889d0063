-- follow - a log tailer: prints lines as another task appends them
--
-- A positioned read returns 0 at the end of the file; the tailer then sleeps
-- and looks again, like tail -f.  It stops when the log has been silent for
-- too long.
--
-- Output:
--   follow: first line
--   follow: second line
--   follow: third line
--   follow: silent for 0.1 s, stopping

local aio = require "aio"
local file = require "aio.file"

local function follow(path, silence, on_line)
  local log <close> = assert(file.open(path, "r"))
  local buf = aio.buf(4096)
  local offset, rest, last = 0, "", aio.now()
  while aio.now() - last < silence do
    local n = assert(log:pread(buf, offset))
    if n == 0 then
      aio.sleep(0.005)
    else
      last = aio.now()
      offset = offset + n
      rest = rest .. buf:tostring(0, n)
      rest = rest:gsub("([^\n]*)\n", function(line)
        on_line(line)
        return ""
      end)
    end
  end
end

local path = os.tmpname()

aio.spawn(function()
  local log <close> = assert(file.open(path, "w"))
  local offset = 0
  for _, text in ipairs { "first line\nsec", "ond line\n", "third line\n" } do
    offset = offset + assert(log:write_all(text, offset))
    aio.sleep(0.01)
  end
end)

follow(path, 0.1, function(line)
  print("follow: " .. line)
end)
print("follow: silent for 0.1 s, stopping")
os.remove(path)
