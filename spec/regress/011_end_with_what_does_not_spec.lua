--- Programs that ended while a task ignored its cancellation, or while a
-- request hung in the kernel, aborted when the context was destroyed.
local host = require "support.host"

local function run(code)
  return host.run(("%s -e %s"):format(host.quote(host.aioctl),
    host.quote('local aio = require "aio" ' .. code)), 15)
end

describe("os.exit", function()
  for _, close in ipairs { "false", "true" } do
    it("leaves a task behind that will not end (" .. close .. ")", function()
      local out, status = run([[
        aio.spawn(function() while true do pcall(aio.yield) end end)
        aio.yield()
        os.exit(5, ]] .. close .. ")")
      assert.equal("", out)
      assert.equal(5, status)
    end)

    it("leaves a request behind that hangs (" .. close .. ")", function()
      local path = os.tmpname()
      os.remove(path)
      finally(function() os.remove(path) end)
      assert(os.execute("mkfifo " .. path))
      local out, status = run(([[
        aio.spawn(aio.file.open, %q) -- nobody ever opens the other end
        aio.sleep(0.01)
        os.exit(6, %s)]]):format(path, close))
      assert.equal("", out)
      assert.equal(6, status)
    end)
  end

  it("lets finalizers wake what was left behind", function()
    local out, status = run [[
      local chan = aio.sync.chan()
      aio.spawn(function() while true do pcall(chan.get, chan) end end)
      aio.yield()
      KEEP = setmetatable({}, { __gc = function()
        chan:close()
        print "closed"
      end })
      os.exit(5, true)]]
    assert.equal("closed\n", out)
    assert.equal(5, status)
  end)
end)

describe("os.exit in a callback", function()
  it("ends as it does elsewhere", function()
    local out, status = host.run(([[%s --stats -e %s]]):format(
      host.quote(host.aioctl), host.quote [[
        local aio = require "aio"
        KEEP = setmetatable({}, { __gc = function() print "collected" end })
        aio.defer(function() os.exit(7, true) end)
        aio.sleep(100)]]), 10)
    assert.matches("aioctl: fdmon=", out)
    assert.matches("collected\n", out)
    assert.equal(7, status)
  end)
end)
