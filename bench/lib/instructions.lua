-- instructions - how many a program runs per operation, in user space
--
-- Counted by callgrind, so that they are the same on a busy machine.  The
-- program's last argument is "x" and the number of operations (timing.lua); a
-- short and a longer run differ by nothing but operations.

local shell = require "lib.shell"

local SHORT <const>, LONG <const> = 2000, 12000

local instructions = {}

function instructions.needs()
  return not shell.has("valgrind") and "no valgrind" or nil
end

local function count(words, operations, variable)
  local line = { "env", variable or "LC_ALL=C", "valgrind", "--tool=callgrind",
    "--log-fd=1", "--callgrind-out-file=/dev/null" }
  table.move(words, 1, #words, #line + 1, line)
  line[#line + 1] = "x" .. operations
  local text = shell.output(line)
  return tonumber(text:match("Collected : (%d+)")) or
    error("callgrind counted nothing: " .. text, 0)
end

-- side(words [, variable]) -> a side whose metric is "instructions"; variable:
-- "NAME=value" in its environment
function instructions.side(words, variable)
  return function()
    local few = count(words, SHORT, variable)
    local many = count(words, LONG, variable)
    return { instructions = (many - few) / (LONG - SHORT) }
  end
end

return instructions
