-- aioctl info: what it lists, as text and as JSON

local host = require "support.host"

local function info(arguments, environment)
  local output, status = host.run(("%s %s info %s"):format(
    environment or "", host.quote(host.aioctl), arguments))
  return output, status
end

describe("aioctl info", function()
  it("lists every monitor and engine, usable or not", function()
    local output, status = info ""
    assert.equal(0, status, output)
    for _, word in ipairs {
      "kernel", "lua", "io_uring", "epoll", "poll", "linux_aio", "threads",
      "memlock", "nofile", "guard",
    } do
      assert.matches(word, output, 1, true)
    end
    assert.matches("\n  poll +usable", output)
    assert.matches("\n  threads +usable", output)
  end)

  it("says the same as JSON", function()
    local output, status = info "--json"
    assert.equal(0, status, output)
    local json = assert(require("dkjson").decode(output))
    local names = {}
    for _, row in ipairs(json.engines) do
      names[row.name] = row.usable
    end
    assert.is_true(names.threads)
    assert.is_true(json.limits.nofile ~= nil)
    assert.equal("string", type(json.kernel.release))
  end)

  it("gives the reason when io_uring is refused", function()
    local output, status = info("", "AIOCTL_NO_IO_URING=1")
    assert.equal(0, status, output)
    assert.matches("io_uring +not usable: %S+", output)
  end)

  it("refuses unknown options with a suggestion", function()
    local output, status = info "--jsn"
    assert.equal(1, status)
    assert.matches("json", output)
  end)
end)
