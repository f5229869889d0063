--- A handle armed in a context that nobody polls kept the program running for
-- ever: it can only fire inside that context's poll().
local host = require "support.host"

local function run(code)
  return host.run(("%s -e %s"):format(host.quote(host.aioctl),
    host.quote('local aio = require "aio" ' .. code)), 5)
end

describe("a program with a handle armed in another context", function()
  for name, code in pairs {
    ["bh"] = "aio.bh(print, 'x', CTX):schedule()",
    ["timer"] = "aio.timer { fn = print, ctx = CTX }:mod(0)",
    ["notifier"] = "aio.notifier { ctx = CTX }:handler(print):set()",
  } do
    it("ends (" .. name .. ")", function()
      local out, status = run("CTX = aio.context {} " .. code)
      assert.equal("", out)
      assert.equal(0, status)
    end)
  end

  it("goes on while the home context has one", function()
    local out, status = run([[
      local timer = aio.timer { fn = function() print "fired" end }
      timer:mod(aio.now() + 0.005)]])
    assert.equal("fired\n", out)
    assert.equal(0, status)
  end)

  it("ends when it unref'd the ones of the home context", function()
    local out, status = run([[
      aio.timer { fn = print }:mod(aio.now() + 100):unref()
      aio.on_signal("HUP", print):unref() ]])
    assert.equal("", out)
    assert.equal(0, status)
  end)
end)
