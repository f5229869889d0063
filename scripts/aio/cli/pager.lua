--- aio.cli.pager - long text, a screen at a time where there is a screen.
local aio = require "aio"

local pager = {}

--- Is stdout a terminal on which text may stand out?
function pager.is_fancy()
  local plain = os.getenv("NO_COLOR") or ""
  return plain == "" and os.getenv("TERM") ~= "dumb" and aio.isatty(1)
end

-- As git does: less ends by itself when the text fits on the screen.
local function command()
  local wanted = os.getenv("PAGER")
  if wanted == "" or wanted == "cat" then
    return nil
  elseif wanted or os.execute("command -v less >/dev/null 2>&1") then
    return "LESS=${LESS-FRX} " .. (wanted or "less")
  end
end

--- Writes text to stdout, on a terminal through $PAGER or less.
function pager.print(text)
  local line = aio.isatty(1) and command()
  local pipe = line and io.popen(line, "w")
  if pipe then
    pipe:write(text) -- fails when the reader has seen enough
    pipe:close()
  else
    io.write(text)
  end
end

return pager
