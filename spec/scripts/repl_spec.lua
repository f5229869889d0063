-- The prompt: editing, completion, history and Ctrl-C on a terminal, and the
-- loop running meanwhile.

local complete = require "aio.repl.complete"
local host = require "support.host"
local pretty = require "aio.repl.pretty"
local terminal = require "support.terminal"

local CTRL_C <const>, CTRL_D <const>, TAB <const> = "\3", "\4", "\t"
local UP <const> = "\27[A"

local function refusal()
  local _, status = host.run(host.quote(host.aioctl) ..
    " -e 'require \"aio.edit\"'")
  return terminal.missing() or
    status ~= 0 and "built without libedit" or nil
end

describe("the prompt on a terminal", function()
  local why = refusal()
  local history, tty

  local function run(command, env)
    env = env or {}
    env.AIOCTL_HISTORY = env.AIOCTL_HISTORY or history
    tty = terminal.open(command or host.quote(host.aioctl), env)
    tty:expect "> "
    return tty
  end

  local function check(name, body)
    it(name, function()
      if why then
        pending(why)
        return
      end
      history = os.tmpname()
      os.remove(history)
      finally(function()
        tty:close()
        tty = nil
        os.remove(history)
      end)
      body(run)
    end)
  end

  check("prints the values of expressions", function(open)
    local t = open()
    t:type("1 + 1", "2\n> ")
    t:type("=7, 'seven'", "7\tseven\n> ")
    t:type("x = 1", "> ")
    t:type("{ 1, x = { 'a' } }", '{ 1, x = { "a" } }\n> ')
  end)

  check("asks on for what is not complete", function(open)
    local t = open()
    t:type("for i = 1, 2 do", ">> ")
    t:type("print(i * 10)", ">> ")
    t:type("end", "10\n20\n> ")
  end)

  check("shows an error with its traceback and goes on", function(open)
    local t = open()
    t:type("local function f() error('oops') end f()", "stdin:1: oops\n")
    t:expect "stack traceback:"
    t:expect "> "
    t:type("'still here'", "still here\n> ")
    t:type("x = = 1", "unexpected symbol near '='")
    t:expect "> "
  end)

  check("runs the loop while it waits", function(open)
    local t = open()
    t:type("aio = require 'aio'", "> ")
    t:type("t = aio.spawn(function() aio.sleep(0.01) print('ti' .. 'ck') end)",
      "> ")
    t:expect "tick\n"
    t:type("t:join()", "> ")
  end)

  check("lets what is typed park", function(open)
    local t = open()
    t:type("require 'aio'.sleep(0.001) return 'slept'", "slept\n> ")
  end)

  check("cancels what runs at Ctrl-C, and goes on", function(open)
    local t = open()
    t:send("aio = require 'aio' print('so') aio.sleep(100)\n")
    t:expect "\nso\n"
    t:send(CTRL_C)
    t:expect "interrupted!"
    t:expect "> "
    t:send("print('spins') while true do end\n")
    t:expect "\nspins\n"
    t:send(CTRL_C)
    t:expect "interrupted!"
    t:expect "> "
    t:type("aio.sleep(0.001) return 'again'", "again\n> ")
  end)

  check("drops a line, and what it goes on with, at Ctrl-C", function(open)
    local t = open()
    t:send("some nonsense")
    t:expect "some nonsense"
    t:send(CTRL_C)
    t:expect "> "
    t:type("for i = 1, 2 do", ">> ")
    t:send(CTRL_C)
    t:expect "> "
    t:type("'fine'", "fine\n> ")
  end)

  check("completes fields, methods and globals", function(open)
    local t = open()
    t:send("string.upp" .. TAB .. "('abc')\n")
    t:expect "ABC\n> "
    t:send("string.re" .. TAB)
    t:expect "rep      reverse"
    t:expect "string.re"
    t:send("p('x', 3)\n")
    t:expect "xxx\n> "
    t:send("tostri" .. TAB .. "(12)\n")
    t:expect "12\n> "
  end)

  check("edits text of several bytes a letter", function(open)
    local t = open()
    t:send("'hé" .. "\127" .. "üx" .. "\127" .. "llo'\n")
    t:expect "\nhüllo\n> "
  end)

  check("brings back lines, those of earlier sessions too", function(open)
    local t = open()
    t:type("'first' .. 'line'", "firstline\n> ")
    t:send(UP .. "\n")
    t:expect "firstline\n> "
    t:send(CTRL_D)
    assert.equal(0, t:status())
    t:close()
    assert.equal("'first' .. 'line'\n", host.read(history))
    local mode = host.run("stat -c %a " .. history)
    assert.equal("600\n", mode)
    t = open()
    t:send(UP .. "\n")
    t:expect "firstline\n> "
  end)

  check("ends at Ctrl-D, and with os.exit", function(open)
    local t = open()
    t:send(CTRL_D)
    assert.equal(0, t:status())
    t:close()
    t = open()
    t:send("os.exit(5)\n")
    assert.equal(5, t:status())
  end)

  check("leaves the terminal as it was, whatever ends it", function(open)
    local t = open(("stty -a >%s.1; %s; stty -a >%s.2"):format(history,
      host.quote(host.aioctl), history), { AIOCTL_HISTORY = "" })
    t:type("aio = require 'aio'", "> ")
    t:send "aio.defer(function() error('gone') end)\n"
    t:expect "gone\n"
    t:status()
    assert.equal(host.read(history .. ".1"), host.read(history .. ".2"))
    os.remove(history .. ".1")
    os.remove(history .. ".2")
  end)

  check("is the plain one on a terminal that cannot be edited on",
    function(open)
      local t = open("TERM=dumb " .. host.quote(host.aioctl))
      t:type("{}", "table: ")
    end)
end)

describe("completion", function()
  local function names(text)
    return table.concat(select(2, complete.line(text)), " ")
  end

  it("completes what is common and lists the rest", function()
    assert.same({ "er", { "upper" } }, { complete.line("('x'), string.upp") })
    _G.completed = { common_a = 1, common_b = 2, other = 3 }
    assert.same({ "mmon_", { "common_a", "common_b" } },
      { complete.line("f(completed.co") })
    assert.equal("common_a common_b other", names("completed."))
    _G.completed = nil
  end)

  it("offers only functions after a colon", function()
    _G.completed = { field = 1, method = function() end, __hidden = 1 }
    assert.equal("method", names("completed:"))
    assert.equal("field method", names("completed."))
    assert.equal("__hidden", names("completed.__"))
    _G.completed = nil
  end)

  it("follows tables of __index, and calls no function", function()
    local base = setmetatable({ inherited = 1 }, {
      __index = function() error("called") end })
    _G.completed = setmetatable({ own = 1 }, { __index = base })
    assert.equal("inherited own", names("completed."))
    assert.equal("", names("completed.absent.x"))
    _G.completed = setmetatable({}, {})
    getmetatable(_G.completed).__index = _G.completed
    assert.equal("", names("completed.x"))
    _G.completed = nil
  end)

  it("knows the keywords, and leaves literals alone", function()
    assert.equal("local", names("loc"))
    assert.equal("", names("('x'):upp"))
    assert.equal("", names("f().x"))
  end)
end)

describe("a printed value", function()
  it("is a constructor as far as it fits", function()
    assert.equal('{ 1, "two\\n", { 3 }, [-1] = "x", a = true, [true] = {} }',
      pretty { 1, "two\n", { 3 }, a = true, [-1] = "x", [true] = {} })
    assert.equal("text", pretty "text")
    assert.equal("nil", pretty(nil))
  end)

  it("breaks long tables, and ends", function()
    local long = {}
    for i = 1, 1000 do
      long[i] = "item " .. i
    end
    local text = pretty(long)
    assert.matches('^{\n  "item 1",\n  "item 2",', text)
    assert.matches("%.%.%. 940 more\n}$", text)
    local cycle = {}
    cycle.self = cycle
    assert.equal("{ self = <cycle> }", pretty(cycle))
    assert.equal("{ { { { {...} } } } }", pretty { { { { { 1 } } } } })
  end)

  it("speaks for itself where it can", function()
    assert.equal("me", pretty(setmetatable({}, {
      __tostring = function() return "me" end })))
    assert.matches("^function: .*repl_spec", pretty(function() end))
  end)
end)
