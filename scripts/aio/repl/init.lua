-- aio.repl - the prompt of aioctl on a terminal
--
-- Editing is libedit's (aio.edit); what is typed is compiled and run by the
-- host, which asks here for lines and hands the results back.  While the prompt
-- waits the loop runs.

local aio = require "aio"
local complete = require "aio.repl.complete"
local edit = require "aio.edit"
local history = require "aio.repl.history"
local pretty = require "aio.repl.pretty"

local STDIN <const> = 0

local repl = {}

local function wait()
  assert(aio.wait_fd(STDIN, "r"))
end

-- The candidates below the line, in columns.
local function list(names)
  local width = 0
  for _, name in ipairs(names) do
    width = math.max(width, #name + 2)
  end
  local columns = math.max(1, 80 // width)
  local out = { "\n" }
  for i, name in ipairs(names) do
    local last = i % columns == 0 or i == #names
    out[#out + 1] = last and name .. "\n" or
      name .. (" "):rep(width - #name)
  end
  io.stdout:write(table.concat(out))
  io.stdout:flush()
end

-- What the tab key inserts, and whether something was printed.
local function on_tab(text)
  local insert, names = complete.line(text)
  if insert == "" and #names > 1 then
    list(names)
    return nil, true
  end
  return insert, false
end

-- open(program) -> { read =, print = }, or nil where the plain prompt will do:
-- standard input or output is no terminal that can be edited on.
function repl.open(program)
  local term = os.getenv "TERM"
  if not edit.is_terminal() or not term or term == "" or term == "dumb" then
    return nil
  end
  local editor = edit.editor(program, wait, on_tab)
  if not editor then
    return nil
  end
  print(("aioctl %s  aio = require \"aio\"; Tab completes, Ctrl-D leaves")
    :format(aio.version))
  local past = history.open(editor)
  local self = {}

  function self.read(prompt)
    local line = editor:line(prompt)
    if line and line:find("%S") then
      past:add(line)
    end
    return line
  end

  function self.print(...)
    local words = table.pack(...)
    for i = 1, words.n do
      words[i] = pretty(words[i])
    end
    print(table.unpack(words, 1, words.n))
  end

  return self
end

return repl
