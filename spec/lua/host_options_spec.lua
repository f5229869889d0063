-- What aioctl adds to lua: long options and their environment twins, commands,
-- modules as programs, signals.

local host = require "support.host"

local dir

local function write(name, text)
  local file = assert(io.open(dir .. "/" .. name, "w"))
  file:write(text)
  file:close()
end

-- aioctl(words [, environment]) -> output of both streams, status
local function aioctl(words, environment)
  return host.run(("%s %s %s"):format(environment or "",
    host.quote(host.aioctl), words), 20)
end

lazy_setup(function()
  dir = os.tmpname()
  os.remove(dir)
  assert(os.execute(("mkdir -p %s/scripts/aio"):format(dir)))
  write("args.lua", "print(arg[0], arg[1], ...)")
  write("scripts/greet.lua", "print(arg[0], ...) if ... then error('no') end")
  write("scripts/aio/probe.lua", "return { where = 'override', name = ... }")
end)

lazy_teardown(function()
  os.execute("rm -r " .. dir)
end)

describe("a long option", function()
  it("takes its value from the same word or the next", function()
    for _, words in ipairs { "--fdmon=poll", "--fdmon poll" } do
      local output, status = aioctl(words .. " -e 'print(1)'")
      assert.equal("1\n", output)
      assert.equal(0, status)
    end
  end)

  it("ends where the script begins", function()
    assert.equal(dir .. "/args.lua\t--fdmon\t--fdmon\tx\n",
      (aioctl(dir .. "/args.lua --fdmon x")))
  end)

  it("that is unknown is refused with a suggestion and the usage", function()
    local output, status = aioctl("--fdmn poll")
    assert.matches("unrecognized option '%-%-fdmn' %(did you mean "
      .. "'%-%-fdmon'%?%)\nusage: aioctl ", output)
    assert.equal(1, status)
  end)

  it("without its value is refused", function()
    local output, status = aioctl("--fdmon")
    assert.matches("^aioctl: '%-%-fdmon' needs argument\n%(M: auto, io_uring",
      output)
    assert.equal(1, status)
  end)

  it("with an unknown value is refused with a suggestion", function()
    local output, status = aioctl("--fdmon epol -e ''")
    assert.equal("aioctl: --fdmon: unknown name 'epol' "
      .. "(did you mean 'epoll'?)\n", output)
    assert.equal(1, status)
    output = aioctl("--engine=thread -e ''")
    assert.matches("%-%-engine: unknown name 'thread'.*'threads'", output)
    output = aioctl("--engine=uring -e ''")
    assert.matches("expected one of auto, io_uring, linux_aio, threads", output,
      1, true)
    output = aioctl("--on-error=quit -e ''")
    assert.matches("bad value 'quit' %(expected log or exit%)", output)
  end)

  it("that takes no value refuses one", function()
    local output, status = aioctl("--version=2")
    assert.matches("^aioctl: %-%-version takes no value\nusage:", output)
    assert.equal(1, status)
  end)
end)

describe("the environment twin of an option", function()
  it("is checked like the option", function()
    local output, status = aioctl("-e ''", "AIOCTL_FDMON=epol")
    assert.matches("^aioctl: AIOCTL_FDMON: unknown name 'epol'", output)
    assert.equal(1, status)
  end)

  it("gives way to the option", function()
    local _, status = aioctl("--timeout=0.05 -e 'while true do end'",
      "AIOCTL_TIMEOUT=1000")
    assert.equal(124, status)
  end)

  it("is ignored when empty, and under -E", function()
    assert.equal("1\n", (aioctl("-e 'print(1)'", "AIOCTL_FDMON=")))
    assert.equal("1\n", (aioctl("-E -e 'print(1)'", "AIOCTL_FDMON=no")))
  end)
end)

describe("an fd monitor that cannot be had", function()
  local refuse = "AIOCTL_FDMON= AIOCTL_NO_IO_URING=1"
  local sleep = "-e 'require(\"aio\").sleep(0.001) print(1)'"

  it("is replaced, with one warning that names the cause", function()
    for _, words in ipairs { sleep, "--fdmon=io_uring " .. sleep } do
      local output, status = aioctl(words, refuse)
      assert.matches("^aioctl: warning: fd monitor epoll is used instead: "
        .. "[^\n]*AIOCTL_NO_IO_URING[^\n]*\n1\n$", output)
      assert.equal(0, status)
    end
  end)

  it("ends the program when '!' was said", function()
    local output, status = aioctl("--fdmon=io_uring! " .. sleep, refuse)
    assert.matches("^aioctl: io_uring: [^\n]*AIOCTL_NO_IO_URING[^\n]*\n$",
      output)
    assert.equal(1, status)
  end)

  it("is no news to a program that waits for nothing", function()
    assert.equal("1\n", (aioctl("-e 'print(1)'", refuse)))
  end)
end)

describe("--version and --help", function()
  it("name the kernel, monitors, engines and libraries", function()
    local output, status = aioctl("--version")
    assert.matches("^aioctl %d+%.%d+%.%d+\nkernel: Linux ", output)
    assert.matches("\nfd monitors:.*epoll.*poll", output)
    assert.matches("\nengines:.*threads", output)
    assert.matches("\nlibraries: Lua 5%.4", output)
    assert.equal(0, status)
  end)

  it("list what there is", function()
    local short, status = aioctl("--help")
    assert.equal(0, status)
    assert.matches("%-%-timeout SEC", short)
    assert.is_nil(short:find("AIOCTL_", 1, true))
    assert.matches("AIOCTL_TIMEOUT", (aioctl("--help=all")))
  end)
end)

describe("aioctl help", function()
  it("shows the options of a command", function()
    local output, status = aioctl("help info")
    assert.equal(0, status)
    assert.equal((aioctl("info --help")), output)
  end)

end)

describe("--timeout", function()
  it("ends a program that spins", function()
    local output, status = aioctl("--timeout=50ms -e 'while true do end'")
    assert.matches("aioctl: timeout: still running after 0%.05 s\n", output)
    assert.equal(124, status)
  end)

  it("ends a program that waits", function()
    local _, status = aioctl("--timeout=0.05 -e "
      .. "'require(\"aio\").sleep(30)'")
    assert.equal(124, status)
  end)

  it("does nothing to a program that ends in time", function()
    local output, status = aioctl("--timeout=20 -e 'os.exit(4)'")
    assert.equal("", output)
    assert.equal(4, status)
  end)

  it("refuses what is no time", function()
    for _, value in ipairs { "x", "0", "-1", "nan", "1x", "inf" } do
      local output, status = aioctl("--timeout=" .. value .. " -e ''")
      assert.matches("%-%-timeout: bad value '" .. value:gsub("%p", "%%%0"),
        output)
      assert.equal(1, status)
    end
  end)
end)

describe("a command", function()
  local function scripts()
    return "AIOCTL_SCRIPTS=" .. dir .. "/scripts"
  end

  it("runs by its name, and is called so", function()
    assert.equal("aioctl greet\n", (aioctl("greet", scripts())))
  end)

  it("reports errors under its name", function()
    local output, status = aioctl("greet you", scripts())
    assert.matches("\naioctl greet: [^\n]*greet.lua:1: no\nstack", output)
    assert.equal(1, status)
  end)

  it("is no command with a folder or a suffix", function()
    local output, status = aioctl("./greet", scripts())
    assert.equal("aioctl: cannot open ./greet: No such file or directory\n",
      output)
    assert.equal(1, status)
    assert.matches("cannot open greet.lua", (aioctl("greet.lua", scripts())))
  end)

  it("that is misspelt is suggested", function()
    local output, status = aioctl("coppy a b")
    assert.equal("aioctl: cannot open coppy: No such file or directory\n"
      .. "(did you mean the command 'copy'?)\n", output)
    assert.equal(1, status)
  end)

  it("is not what require() finds", function()
    local output = aioctl("-e 'print(pcall(require, \"greet\"))'", scripts())
    assert.matches("^false\tmodule 'greet' not found", output)
  end)
end)

describe("modules", function()
  it("in AIOCTL_SCRIPTS replace the embedded ones", function()
    local code = "-e 'local m = require \"aio.probe\" print(m.where, m.name)'"
    assert.equal("override\taio.probe\n",
      (aioctl(code, "AIOCTL_SCRIPTS=" .. dir .. "/scripts")))
    assert.matches("module 'aio.probe' not found", (aioctl(code)))
    assert.matches("module 'aio.probe' not found", (aioctl("-E " .. code,
      "AIOCTL_SCRIPTS=" .. dir .. "/scripts")))
  end)

  it("run as programs with -m", function()
    local path = ("LUA_PATH='%s/?.lua'"):format(dir)
    assert.equal(dir .. "/args.lua\ta\ta\tb\n", (aioctl("-m args a b", path)))
    assert.equal(dir .. "/args.lua\tnil\n", (aioctl("-margs", path)))
    local output, status = aioctl("-m none", path)
    assert.matches("^aioctl: module 'none' not found:\n", output)
    assert.equal(1, status)
    assert.matches("'%-m' needs argument", (aioctl("-m")))
  end)
end)

describe("a script", function()
  it("that is no text is named as such", function()
    local output, status = host.run(host.quote(host.aioctl) .. " /bin/sh")
    assert.matches("\n(/bin/sh is a binary file, no Lua script)\n", output, 1,
      true)
    assert.equal(1, status)
  end)
end)

describe("the prompt", function()
  it("shares standard input with the lines it runs", function()
    local output = host.run(("printf 'io.read()\\ndata\\n1+1\\n' | %s -i")
      :format(host.quote(host.aioctl)))
    assert.matches("> io.read%(%)\ndata\n> 1%+1\n2\n> \n$", output)
  end)

  it("lets tasks run while it waits", function()
    local output = host.run(("(echo 'aio = require \"aio\"'; "
      .. "echo 'aio.after(0.001, function() print(\"tick\") end)'; "
      .. "sleep 0.2; echo '\"late\"') | %s -i"):format(
      host.quote(host.aioctl)))
    assert.matches("tick.*late", output)
  end)

  it("says what is wrong with an unfinished last line", function()
    local output, status = host.run(("echo 'x = (' | %s -i"):format(
      host.quote(host.aioctl)))
    assert.matches("stdin:1: unexpected symbol near <eof>", output)
    assert.equal(0, status)
  end)
end)

describe("leaving", function()
  local function runs(code)
    return aioctl("-e " .. host.quote("local aio = require 'aio' " .. code))
  end

  it("by os.exit() works from a callback, whoever catches errors", function()
    local output, status = runs [[
      aio.defer(function() pcall(os.exit, 5, true) print("no") end)
      aio.sleep(10)
    ]]
    assert.equal("", output)
    assert.equal(5, status)
  end)

  it("by os.exit() runs the __close handlers of all tasks", function()
    local output, status = runs [[
      local function closing(name)
        return setmetatable({}, { __close = function() print(name) end })
      end
      local x <close> = closing("main")
      aio.spawn(function()
        local y <close> = closing("other")
        aio.sleep(10)
      end)
      aio.spawn(function()
        local z <close> = closing("caller")
        coroutine.wrap(function() os.exit(6, true) end)()
      end)
      aio.sleep(10)
    ]]
    assert.matches("main\n", output)
    assert.matches("other\n", output)
    assert.matches("caller\n", output)
    assert.equal(6, status)
  end)

  it("by os.exit() works from a finalizer", function()
    local _, status = runs [[
      setmetatable({}, { __gc = function() os.exit(7) end })
      collectgarbage()
      aio.sleep(10)
    ]]
    assert.equal(7, status)
  end)

  it("with an error ends the tasks that still run", function()
    local output, status = runs [[
      aio.spawn(function() aio.sleep(0.01) print("late") end)
      error("main")
    ]]
    assert.matches("^aioctl: [^\n]*main\nstack traceback:\n", output)
    assert.is_nil(output:find("late"))
    assert.equal(1, status)
  end)

  it("in a deadlock says who waits, with status 3", function()
    local output, status = runs "aio.park()"
    assert.matches("^aioctl: deadlock: .*main task is parked", output)
    assert.is_nil(output:find("cancelled"))
    assert.equal(3, status)
  end)

  it("waits for tasks when the main chunk has ended", function()
    local output, status = runs [[
      aio.spawn(function() aio.sleep(0.002) print("late") end)
      print("main ends")
    ]]
    assert.equal("main ends\nlate\n", output)
    assert.equal(0, status)
  end)

  it("with --on-error=log needs more than a failed task", function()
    local code = host.quote [[
      local aio = require "aio"
      aio.spawn(function() error("oops") end)
      collectgarbage()
      aio.sleep(0.002)
      print("went on")
    ]]
    local output, status = aioctl("--on-error=log -e " .. code)
    assert.matches("oops\n.*went on\n$", output)
    assert.equal(0, status)
  end)

  it("the prompt ends the program", function()
    local output, status = host.run(("echo 'aio.after(30, print)' | %s -i "
      .. "-l aio"):format(host.quote(host.aioctl)), 10)
    assert.matches("aio.task", output)
    assert.equal(0, status)
  end)
end)

describe("--stats", function()
  it("prints the loop's counters at the end", function()
    local output, status = aioctl("--stats --fdmon=poll -e "
      .. "'require(\"aio\").sleep(0.001)'")
    assert.matches("^aioctl: fdmon=poll iterations=%d+ .*timers=1", output)
    assert.equal(0, status)
  end)
end)

describe("--check", function()
  it("compiles what is named, and runs nothing", function()
    local output, status = aioctl("--check -e 'print(1)' " .. dir ..
      "/args.lua")
    assert.equal("", output)
    assert.equal(0, status)
  end)

  it("says what is wrong with each", function()
    write("bad.lua", "x = = 1")
    local output, status = aioctl(
      ("--check -e 'x =' %s/bad.lua %s/none %s/args.lua"):format(dir, dir, dir))
    assert.matches("^aioctl: %(command line%):1: unexpected symbol near " ..
      "<eof>\naioctl: [^\n]*bad%.lua:1: unexpected symbol near '='\n" ..
      "aioctl: cannot open [^\n]*none: No such file or directory\n$", output)
    assert.equal(1, status)
  end)

  it("reads standard input when nothing is named", function()
    local output, status = host.run(("echo 'end' | %s --check"):format(
      host.quote(host.aioctl)))
    assert.matches("^aioctl: stdin:1: <eof> expected near 'end'\n$", output)
    assert.equal(1, status)
  end)
end)

describe("--memory-limit", function()
  it("lets a program use that much and no more", function()
    local output, status = aioctl("--memory-limit 4M -e " .. host.quote [[
      print(#("x"):rep(1 << 20), pcall(string.rep, "x", 1 << 22))
      for i = 1, 100 do local garbage = ("x"):rep(1 << 18) .. i end
      print(#("x"):rep(1 << 20))]])
    assert.equal("1048576\tfalse\tnot enough memory\n1048576\n", output)
    assert.equal(0, status)
  end)

  it("ends one that does not stop, saying why", function()
    local code = "-e 't = {} while true do t[#t + 1] = {} end'"
    local output, status = aioctl(code, "AIOCTL_MEMORY_LIMIT=1M")
    assert.equal("aioctl: not enough memory (--memory-limit)\n", output)
    assert.equal(1, status)
  end)

  it("counts the states of all threads together", function()
    local output = aioctl("--memory-limit 6M -e " .. host.quote [[
      local aio = require "aio"
      local held = ("x"):rep(2 << 20)
      local thread <close> = aio.iothread()
      local task = thread:call(function() return #("x"):rep(2 << 20) end)
      print(task:pjoin())
      print(#held)]])
    assert.equal("false\tnot enough memory\n2097152\n", output)
  end)

  it("is refused when nothing could start", function()
    local output, status = aioctl("--memory-limit 1k -e 1")
    assert.matches("^aioctl: %-%-memory%-limit: bad value '1k' %(expected a ",
      output)
    assert.equal(1, status)
  end)
end)
