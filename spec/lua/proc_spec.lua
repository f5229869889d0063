--- aio.proc: children, their pipes and their ends.
local aio = require "aio"
local net = require "aio.net"
local proc = require "aio.proc"

local E <const> = aio.errno

-- Children of this process that nobody has reaped.
local function zombies()
  local count = 0
  local self = io.open("/proc/self/stat"):read("a"):match("^(%d+)")
  local tasks = io.open("/proc/self/task/" .. self .. "/children"):read("a")
  for pid in tasks:gmatch("%d+") do
    local stat = io.open("/proc/" .. pid .. "/stat")
    if stat then
      count = count + (stat:read("a"):match("%) Z") and 1 or 0)
      stat:close()
    end
  end
  return count
end

describe("proc.run", function()
  it("gives exit status and output", function()
    local r = assert(proc.run({ "sh", "-c", "echo out; echo err >&2; exit 3" },
      { timeout = 20 }))
    assert.same({ code = 3, out = "out\n", err = "err\n" }, r)
  end)

  it("feeds input, as much as it may be", function()
    local input = ("0123456789abcdef"):rep(1 << 16)
    local r = assert(proc.run({ "cat" }, { input = input, timeout = 20 }))
    assert.equal(0, r.code)
    assert.is_true(r.out == input)
  end)

  it("does not mind a child that does not read its input", function()
    local r = assert(proc.run({ "true" }, { input = ("x"):rep(1 << 20),
      timeout = 20 }))
    assert.equal(0, r.code)
  end)

  it("kills a child that takes too long, and tells what it wrote", function()
    local start = aio.now()
    local value, message, errno, partial = proc.run(
      { "sh", "-c", "echo begun; exec sleep 100" }, { timeout = 0.2 })
    assert.is_nil(value)
    assert.equal("timeout", message)
    assert.equal(E.ETIMEDOUT, errno)
    assert.equal("begun\n", partial.out)
    assert.is_true(aio.now() - start < 20)
    assert.equal(0, zombies())
  end)

  it("kills a child that writes too much", function()
    local value, message, errno, partial = proc.run({ "yes" },
      { max = "64k", timeout = 20 })
    assert.is_nil(value)
    assert.matches("more than 65536 bytes on stdout", message)
    assert.equal(E.EMSGSIZE, errno)
    assert.is_true(#partial.out > 65536)
  end)

  it("names the program that cannot be started", function()
    local value, message, errno = proc.run { "/nonexistent/program" }
    assert.is_nil(value)
    assert.matches("/nonexistent/program", message, 1, true)
    assert.equal(E.ENOENT, errno)
    value, message, errno = proc.run({ "true" }, { cwd = "/nonexistent" })
    assert.is_nil(value)
    assert.matches("/nonexistent", message, 1, true)
    assert.equal(E.ENOENT, errno)
    assert.equal(E.EACCES, select(3, proc.run { "/etc/passwd" }))
  end)

  it("sets folder and environment", function()
    local r = assert(proc.run({ "/bin/sh", "-c", "pwd; echo $A-$HOME" },
      { cwd = "/", env = { A = 1 } }))
    assert.equal("/\n1-\n", r.out)
    r = assert(proc.run({ "/bin/sh", "-c", "echo $A${PATH:+x}${HOME-none}" },
      { setenv = { A = "b", HOME = false } }))
    assert.equal("bxnone\n", r.out)
    assert.error_matches(function()
      proc.run({ "true" }, { env = { ["a=b"] = 1 } })
    end, "no name of a variable")
  end)

  it("merges stderr into stdout if asked to", function()
    local r = assert(proc.run({ "sh", "-c", "echo a; echo b >&2" },
      { stderr = "stdout" }))
    assert.equal("a\nb\n", r.out)
    assert.is_nil(r.err)
  end)

  it("tells the signal that ended the child", function()
    local r = assert(proc.run { "sh", "-c", "kill -TERM $$" })
    assert.is_nil(r.code)
    assert.equal("SIGTERM", r.signal)
  end)

  it("ends with its task", function()
    local task = aio.spawn(proc.run, { "sleep", "100" })
    aio.sleep(0.02)
    task:cancel()
    local ok, err = task:pjoin(20)
    assert.is_false(ok)
    assert.is_true(aio.is_cancelled(err))
    assert.equal(0, zombies())
  end)

  it("refuses wrong arguments", function()
    assert.error_matches(function() proc.run("ls -l") end, "sh")
    assert.error_matches(function() proc.run({}) end, "list of the program")
    assert.error_matches(function() proc.run({ "true", true }) end,
      "argument 2")
    assert.error_matches(function() proc.run({ "a\0b" }) end, "zeros")
    assert.error_matches(function() proc.run({ "true" }, { cwdd = 1 }) end,
      "did you mean 'cwd'")
    assert.error_matches(function()
      proc.run({ "true" }, { stdout = "file" })
    end, "stdout")
  end)
end)

describe("proc.spawn", function()
  it("makes pipes that are sockets", function()
    local p <close> = assert(proc.spawn { "cat", stdin = "pipe",
      stdout = "pipe" })
    assert.is_nil(p.stderr)
    for _, word in ipairs { "one", "two" } do
      p.stdin:send(word .. "\n")
      assert.equal(word, p.stdout:recv_line(20))
    end
    p.stdin:shutdown()
    assert.is_nil(p.stdout:recv(10, 20))
    assert.same({ code = 0 }, p:wait(20))
    assert.same({ code = 0 }, p:wait())
    assert.is_false(p:is_running())
  end)

  it("connects descriptors, sockets and files", function()
    local ours, theirs = net.pair()
    local p <close> = assert(proc.spawn { "sh", "-c", "read x; echo got $x",
      stdin = theirs, stdout = theirs })
    theirs:close()
    ours:send("it\n")
    assert.equal("got it", ours:recv_line(20))
    assert.is_nil(ours:recv(1, 20))
    assert.equal(0, p:wait(20).code)
  end)

  it("gives the child a clean state: signals, descriptors", function()
    local leak = assert(io.open("/dev/null"))
    local r = assert(proc.run { "sh", "-c",
      "grep -E 'Sig(Blk|Ign)' /proc/self/status; ls /proc/self/fd" })
    leak:close()
    assert.matches("SigBlk:%s+0+\n", r.out)
    assert.matches("SigIgn:%s+0+\n", r.out)
    assert.matches("\n0\n1\n2\n3\n$", r.out) -- 3 is the listing itself
  end)

  it("kills, and says so when there is nobody to kill", function()
    local p = assert(proc.spawn { "sleep", "100" })
    assert.is_true(p:is_running())
    assert.is_true(p:pid() > 1)
    local value, message, errno = p:wait(0.001)
    assert.is_nil(value)
    assert.equal("timeout", message)
    assert.equal(E.ETIMEDOUT, errno)
    assert.is_true(p:kill())
    assert.equal("SIGTERM", p:wait(20).signal)
    value, message, errno = p:kill("KILL")
    assert.is_nil(value)
    assert.matches("ESRCH", message)
    assert.equal(E.ESRCH, errno)
    assert.error_matches(function() p:kill("TREM") end, "unknown signal")
    assert.error_matches(function() p:kill(1000) end, "number")
    assert.error_matches(function() p:kill("TERM", true) end, "group")
    p:close()
    p:close()
  end)

  it("can end a whole group", function()
    local p <close> = assert(proc.spawn { "sh", "-c",
      "sleep 100 & echo up; wait", stdout = "pipe", group = true })
    assert.equal("up", p.stdout:recv_line(20))
    assert.is_true(p:kill("KILL", true))
    assert.equal("SIGKILL", p:wait(20).signal)
    assert.is_nil(p.stdout:recv(1, 20)) -- the other one is gone, too
  end)

  it("lets several tasks wait for one child", function()
    local p <close> = assert(proc.spawn { "cat", stdin = "pipe" })
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = aio.spawn(function() return p:wait(20).code end)
    end
    local late = aio.spawn(function() p:wait() end)
    aio.yield()
    late:cancel()
    assert.is_false((late:pjoin(1)))
    p.stdin:close()
    for _, task in ipairs(tasks) do
      assert.equal(0, task:join(20))
    end
  end)

  it("reaps children that nobody asks about", function()
    for _ = 1, 20 do
      assert(proc.spawn { "true" })
    end
    collectgarbage()
    local deadline = aio.now() + 20
    repeat
      aio.sleep(0.005)
      local handles = 0
      for _, h in ipairs(aio.handles()) do
        handles = handles + (h.kind == "process" and 1 or 0)
      end
    until handles == 0 or aio.now() > deadline
    assert.is_true(aio.now() < deadline)
    assert.equal(0, zombies())
  end)

  it("kills and reaps what a <close> variable leaves", function()
    local pid
    do
      local p <close> = assert(proc.spawn { "sleep", "100" })
      pid = p:pid()
    end
    assert.is_nil(io.open("/proc/" .. pid .. "/stat"))
  end)

  it("starts many at once", function()
    local codes = {}
    aio.group(function(g)
      for i = 1, 50 do
        g:spawn(function()
          codes[i] = assert(proc.run({ "sh", "-c", "exit " .. i },
            { timeout = 60 })).code
        end)
      end
    end, { limit = 16 })
    for i = 1, 50 do
      assert.equal(i, codes[i])
    end
  end)
end)
