-- Children start with default signals, whichever thread starts them: the
-- threads of aio.iothread and aio.offload block all signals themselves.

local aio, host = require "aio", require "support.host"

-- Signals that /proc says the reader has blocked and ignores.
local ASK <const> = "grep -E '^Sig(Blk|Ign)' /proc/self/status"

local function check(text)
  assert.equal("0000000000000000", text:match("SigBlk:%s*(%x+)"), text)
  assert.equal("0000000000000000", text:match("SigIgn:%s*(%x+)"), text)
end

-- What os.execute() and io.popen() of this thread give their children.
local function ask(command, path)
  assert(os.execute(command .. " >" .. path))
  local executed <close> = io.open(path)
  local opened <close> = io.popen(command)
  return executed:read("a"), opened:read("a")
end

describe("a child", function()
  local thread

  before_each(function() thread = assert(aio.iothread("parent")) end)
  after_each(function() thread:close() end)

  it("of an iothread has no signal blocked or ignored", function()
    local path <const> = os.tmpname()
    finally(function() os.remove(path) end)
    local executed, opened = thread:call(ask, ASK, path):join()
    check(executed)
    check(opened)
  end)

  it("of an offloaded function has no signal blocked or ignored", function()
    local path <const> = os.tmpname()
    finally(function() os.remove(path) end)
    local executed, opened = aio.offload(ask, ASK, path)
    check(executed)
    check(opened)
  end)

  it("of aio.proc in an iothread has no signal blocked or ignored", function()
    local result = thread:call(function(command)
      return require("aio.proc").run { "sh", "-c", command }
    end, ASK):join()
    assert.equal(0, result.code)
    check(result.out)
  end)

  it("of an iothread can be ended by a signal", function()
    assert.same({ nil, "signal", 15 }, { thread:call(function()
      return os.execute("kill -TERM $$; sleep 5")
    end):join() })
  end)
end)

describe("os.execute and io.popen in an iothread", function()
  local thread

  before_each(function() thread = assert(aio.iothread("shell")) end)
  after_each(function() thread:close() end)

  it("answer as those of the first thread do", function()
    local function try()
      local answers = {}
      for i, command in ipairs { "exit 3", "kill -9 $$", "true" } do
        answers[i] = table.pack(os.execute(command))
      end
      answers[4] = table.pack(os.execute())
      local out = io.popen("cat; exit 4", "w")
      answers[5] = table.pack(io.type(out), out:close())
      local lines = {}
      local from <close> = io.popen("printf 'a\\nb\\n'")
      for line in from:lines() do
        lines[#lines + 1] = line
      end
      answers[6] = lines
      answers[7] = table.pack(pcall(io.popen, "true", "rw"))
      answers[8] = table.pack(pcall(os.execute, {}))
      answers[9] = io.type(out)
      return answers
    end
    assert.same(try(), thread:call(try):join())
  end)

  it("write to and read from the child", function()
    local path <const> = os.tmpname()
    finally(function() os.remove(path) end)
    assert.equal("written", thread:call(function(name)
      local out = io.popen("cat >" .. name, "w")
      out:write("writ", "ten")
      assert(out:close())
      local back <close> = io.popen("cat " .. name)
      return back:read("a")
    end, path):join())
  end)

  it("say what the system refuses, and leave nothing open", function()
    local output, status = host.run("ulimit -n 48; " .. host.aioctl .. [[ -e '
      local aio = require "aio"
      local thread <close> = aio.iothread("t", { poll_max_ns = 0 })
      print(thread:call(function()
        local kept, f = {}
        repeat -- until no descriptor is left for a pipe
          f = io.open("/dev/null")
          kept[#kept + 1] = f
        until not f
        local stream, message = io.popen("true")
        for _, one in ipairs(kept) do one:close() end
        return stream, message, io.popen("true"):close()
      end):join())']])
    assert.equal("nil\ttrue: Too many open files\ttrue\texit\t0\n", output)
    assert.equal(0, status)
  end)
end)
