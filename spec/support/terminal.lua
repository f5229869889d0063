-- terminal - a program on a pseudo-terminal, as a person at the keys sees it
--
-- socat makes the terminal.  What the program writes is kept without the
-- terminal's control sequences; expect() waits for a plain text in what came
-- since the last one.

local host = require "support.host"

local aio = require "aio"
local proc = require "aio.proc"

local DEADLINE <const> = 15

local Terminal = {}
Terminal.__index = Terminal

local terminal = {}

-- Why there can be none here, or nil.
function terminal.missing()
  local _, status = host.run "command -v socat"
  return status ~= 0 and "no socat, which makes the pseudo-terminal" or nil
end

-- open(shell command, { name = value } of its environment)
function terminal.open(command, env)
  local words = { "env", "TERM=xterm", "LC_ALL=C.UTF-8" }
  for name, value in pairs(env or {}) do
    words[#words + 1] = name .. "=" .. value
  end
  local script = os.tmpname()
  local file <close> = assert(io.open(script, "w"))
  file:write(command, "\necho status=$?\n")
  file:close()
  for _, word in ipairs { "socat", "-t", "10", "STDIO",
    ("EXEC:sh %s,pty,setsid,ctty,stderr"):format(script) } do
    words[#words + 1] = word
  end
  words.stdin, words.stdout = "pipe", "pipe"
  local child = assert(proc.spawn(words))
  return setmetatable({ child = child, script = script, text = "", all = "" },
    Terminal)
end

function Terminal:send(keys)
  assert(self.child.stdin:send(keys, DEADLINE))
end

local function plain(text)
  return (text:gsub("\27%[[%d;?]*%a", ""):gsub("\r", ""))
end

-- Waits until @text has come; returns what came before it.
function Terminal:expect(text)
  local deadline = aio.now() + DEADLINE
  while true do
    local from, to = self.text:find(text, 1, true)
    if from then
      local before = self.text:sub(1, from - 1)
      self.text = self.text:sub(to + 1)
      return before
    end
    local left = math.max(0, deadline - aio.now())
    local more, why = self.child.stdout:recv(4096, left)
    if not more then
      error(("%q did not come (%s), only:\n%s"):format(text, why or "end",
        self.all), 2)
    end
    self.all = self.all .. more
    self.text = plain(self.text .. more)
  end
end

-- Sends a line and waits for the text that answers it.
function Terminal:type(line, answer)
  self:send(line .. "\n")
  self:expect "\n" -- the echo
  return self:expect(answer)
end

-- The program has ended: its status.
function Terminal:status()
  self:expect "status="
  return tonumber((self:expect "\n"))
end

function Terminal:close()
  self.child:kill "KILL"
  self.child:wait()
  self.child:close()
  os.remove(self.script)
end

return terminal
