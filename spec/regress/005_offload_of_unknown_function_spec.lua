--- Sending a function that the other thread does not have failed in making its
-- message: "invalid option '%.' to 'lua_pushfstring'".
local aio = require "aio"

describe("aio.offload", function()
  it("names the function that its thread does not have", function()
    local ok, err = pcall(aio.offload, aio.sleep, 1)
    assert.is_false(ok)
    assert.matches("has no function 'sleep' in 'aio'", err)
  end)
end)
