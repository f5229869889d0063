-- instructions - how many a program runs per operation, in user space
--
-- Counted by callgrind, so that they are the same on a busy machine.  The
-- program's last argument is "x" and the number of operations (timing.lua); a
-- short and a longer run differ by nothing but operations.  Both sides get a
-- clock that is as slow as they are there (c/slow_clock.c): else a loop that
-- tells by the time whether it has slept would believe that it always does.

local shell = require "lib.shell"

local SHORT <const>, LONG <const> = 2000, 12000

local instructions = {}

function instructions.needs()
  return not shell.has("valgrind") and "no valgrind" or nil
end

local function count(words, operations, clock, variable)
  local line = { "env", "LD_PRELOAD=" .. clock, variable or "LC_ALL=C",
    "valgrind", "--tool=callgrind", "--log-fd=1",
    "--callgrind-out-file=/dev/null" }
  table.move(words, 1, #words, #line + 1, line)
  line[#line + 1] = "x" .. operations
  local text = shell.output(line)
  return tonumber(text:match("Collected : (%d+)")) or
    error("callgrind counted nothing: " .. text, 0)
end

-- side(words, clock [, variable]) -> a side with the metric "instructions"
-- clock: where bench_slow_clock.so is; variable: "NAME=value" for its
-- environment
function instructions.side(words, clock, variable)
  return function()
    local few = count(words, SHORT, clock, variable)
    local many = count(words, LONG, clock, variable)
    return { instructions = (many - few) / (LONG - SHORT) }
  end
end

return instructions
