-- INT, TERM, PIPE and USR1 as a shell and a parent see them.  The programs send
-- the signals to themselves: the shell of io.popen() is their child.

local host = require "support.host"

-- ends(code [, shell]) -> output of both streams, "exit" or "signal", number
local function ends(code, shell)
  local prelude = [[
    local function send(name)
      io.popen("kill -" .. name .. " $PPID"):close()
    end
  ]]
  local line = ("%s exec %s -e %s 2>&1 </dev/null"):format(shell or "",
    host.quote(host.aioctl), host.quote(prelude .. code))
  local pipe = assert(io.popen("exec timeout --foreground 10 sh -c "
    .. host.quote(line), "r"))
  local output = pipe:read("a")
  local _, kind, number = pipe:close()
  return output, kind, number
end

local INT, PIPE, TERM = 2, 13, 15

describe("INT", function()
  it("interrupts a main chunk that spins, and kills like itself", function()
    local output, kind, number = ends("send 'INT' while true do end")
    assert.matches("^aioctl: interrupted!\nstack traceback:\n", output)
    assert.same({ "signal", INT }, { kind, number })
  end)

  it("interrupts a main chunk that waits", function()
    local output, kind, number = ends([[
      local aio = require "aio"
      aio.after(0.005, function() send "INT" end)
      aio.sleep(30)
    ]])
    assert.matches("^aioctl: interrupted!\nstack traceback:\n", output)
    assert.same({ "signal", INT }, { kind, number })
  end)

  it("interrupts a coroutine of the user that spins", function()
    local _, kind, number = ends([[
      require "aio"
      coroutine.wrap(function() send "INT" while true do end end)()
    ]])
    assert.same({ "signal", INT }, { kind, number })
  end)

  it("runs __close handlers first", function()
    local output, kind = ends([[
      local aio = require "aio"
      local x <close> = setmetatable({}, { __close = function()
        io.stderr:write("closed\n")
      end })
      send "INT"
      aio.sleep(30)
    ]])
    assert.matches("closed\n", output)
    assert.equal("signal", kind)
  end)

  it("cancels every task when the main chunk has ended", function()
    local output, kind, number = ends([[
      local aio = require "aio"
      for i = 1, 2 do
        aio.spawn(function()
          local x <close> = setmetatable({}, { __close = function()
            io.stderr:write("closed ", i, "\n")
          end })
          aio.sleep(30)
        end)
      end
      aio.after(0.005, function() send "INT" end)
    ]])
    assert.matches("closed 1\n", output)
    assert.matches("closed 2\n", output)
    assert.same({ "signal", INT }, { kind, number })
  end)

  it("that the script deals with leaves the status to the script", function()
    local output, kind, number = ends([[
      print(pcall(function() send "INT" while true do end end))
    ]])
    assert.equal("false\tcancelled\n", output)
    assert.same({ "exit", 0 }, { kind, number })
    output, kind, number = ends([[
      pcall(function() send "INT" while true do end end)
      os.exit(9)
    ]])
    assert.equal("", output)
    assert.same({ "exit", 9 }, { kind, number })
  end)

  it("kills the second time", function()
    local _, kind, number = ends([[
      local function spin()
        local start = os.clock()
        while os.clock() - start < 0.03 do end
      end
      pcall(function() send "INT" while true do end end)
      spin()
      send "INT"
      while true do pcall(spin) end
    ]])
    assert.same({ "signal", INT }, { kind, number })
  end)

  it("that was ignored at the start stays ignored", function()
    local output, kind, number = ends("send 'INT' print('here')",
      "trap '' INT;")
    assert.equal("here\n", output)
    assert.same({ "exit", 0 }, { kind, number })
  end)
end)

describe("INT at the prompt", function()
  -- The shell that feeds the prompt a line signals it once that has begun.
  local function prompt(line)
    local name = os.tmpname()
    local first = ("io.open(%q, 'w'):close() %s"):format(name .. ".up", line)
    local command = ("{ echo %s; while [ ! -e $F.up ]; do sleep 0.01; done; "
      .. "kill -INT $(cat $F); } | timeout 10 sh -c 'echo $$ >$F; "
      .. "exec %s -i 2>&1'"):format(host.quote(first), host.aioctl)
    local pipe = assert(io.popen(("F=%s; export F; %s; echo $?"):format(name,
      command), "r"))
    local output = pipe:read("a")
    pipe:close()
    os.remove(name .. ".up")
    os.remove(name)
    return output
  end

  it("ends the program as in lua, without a word", function()
    local output = prompt("print(7)")
    assert.matches("\n7\n.*\n130\n$", output)
    assert.is_nil(output:find("interrupted"))
  end)

  it("ends the line that runs, and no more", function()
    local output = prompt("while true do end")
    assert.matches("\ninterrupted!\nstack traceback:\n", output)
    assert.matches("> \n0\n$", output)
  end)
end)

describe("TERM", function()
  it("unwinds, and kills like itself", function()
    local output, kind, number = ends([[
      local aio = require "aio"
      local x <close> = setmetatable({}, { __close = function()
        io.stderr:write("closed\n")
      end })
      send "TERM"
      aio.sleep(30)
    ]])
    assert.matches("closed\n", output)
    assert.same({ "signal", TERM }, { kind, number })
  end)
end)

describe("a reader of standard output that goes away", function()
  for _, first in ipairs { "", "require 'aio' " } do
    it("ends the program by PIPE" .. (first ~= "" and " beside aio" or ""),
      function()
        local code = first .. "while true do print('x') end"
        local pipe = assert(io.popen(("{ { %s -e %s; echo $? >&3; } "
          .. "| head -n1 >/dev/null; } 3>&1"):format(
          host.quote(host.aioctl), host.quote(code)), "r"))
        local output = pipe:read("a")
        pipe:close()
        assert.equal(128 + PIPE .. "\n", output)
      end)
  end
end)

describe("USR1", function()
  it("prints counters, handles and tasks, and the program goes on", function()
    local output, kind, number = ends([[
      local aio = require "aio"
      aio.spawn(function() aio.sleep(30) end):unref():name("idler")
      aio.yield()
      local timer <close> = aio.timer { fn = print, name = "tick" }
      timer:mod(aio.now() + 30)
      send "USR1"
      aio.sleep(0.005)
      print("went on")
    ]])
    assert.matches("aioctl: fdmon=%S+ iterations=%d+", output)
    assert.matches("aioctl: timer 'tick', created at [^\n]*, armed\n", output)
    assert.matches("task 'idler', created at [^\n]* is parked\n"
      .. "stack traceback:\n[^\n]*sleep", output)
    assert.matches("main task is parked\n", output)
    assert.matches("went on\n$", output)
    assert.same({ "exit", 0 }, { kind, number })
  end)
end)

describe("a child", function()
  it("inherits no blocked and no ignored signals", function()
    local look = "grep -E '^Sig(Blk|Ign)' /proc/self/status"
    local output = ends(("require 'aio' os.execute(%q)"):format(look))
    assert.equal(host.run(look), output)
  end)
end)
