--- Finalizers that ran when the state was closed reached a loop that was gone,
-- and crashed.  Now what needs the loop raises there.
local host = require "support.host"

local CODE <const> = [[
  local aio = require "aio"
  local keep = {}
  setmetatable(keep, { __gc = function()
    local ok, message = pcall(function() CALL end)
    print(ok, message)
  end })
  KEEP = keep
  keep.task = aio.spawn(function() end)
  keep.task:join()
  keep.ctx = aio.context()
  keep.waker = aio.self():waker()
  keep.chan = aio.sync.chan(1)
]]

local function run(call)
  local code = CODE:gsub("CALL", (call:gsub("%%", "%%%%")))
  return host.run(("%s -e %s"):format(host.quote(host.aioctl),
    host.quote(code)), 10)
end

describe("a finalizer at the end of the program", function()
  for _, call in ipairs {
    "aio.bh(print)", "aio.defer(print)", "aio.timer { fn = print }",
    "aio.fd(0, { read = print })", "aio.notifier()",
    "aio.on_signal('USR2', print)", "aio.context()", "aio.context {}",
    "aio.spawn(print)", "aio.after(1, print)", "keep.task:waker()",
    "aio.buf { size = 8192, register = true }", "aio.buf(1)",
    "aio.bufpool { count = 1, size = 1 }", "aio.hist()", "aio.stats()",
  } do
    it("cannot use " .. call, function()
      local out, status = run(call)
      assert.matches("^false%s.*the event loop is closed", out)
      assert.equal(0, status)
    end)
  end

  it("cannot wait", function()
    for _, call in ipairs {
      "aio.sleep(1)", "aio.file.open('/dev/null')", "keep.chan:get()",
      "aio.group(print)", "aio.timeout(1, print)", "aio.park()",
    } do
      local out, status = run(call)
      assert.matches("^false%s.*cannot park", out)
      assert.equal(0, status)
    end
  end)

  it("may look at what is left", function()
    local out, status = run [[
      assert(#aio.handles() == 0 and #aio.tasks() == 0)
      assert(keep.task:status() == "done" and not aio.self())
      assert(aio.now() > 0 and keep.chan:try_put(1))
      keep.task:cancel() ]]
    assert.matches("^true", out)
    assert.equal(0, status)
  end)

  it("may call os.exit", function()
    for _, call in ipairs { "os.exit(4)", "os.exit(4, true)", "aio.exit(4)" } do
      local out, status = run(call)
      assert.equal("", out)
      assert.equal(4, status)
    end
  end)

  it("gets an error from a waker that was finalized before", function()
    local out, status = run("keep.waker()")
    assert.matches("^false%s.*the waker was finalized", out)
    assert.equal(0, status)
  end)
end)
