-- ./dev: its verbs, its refusals, and the list of skipped tests.

local host = require "support.host"

describe("./dev", function()
  it("explains every verb that it has", function()
    local help, status = host.run("./dev help")
    assert.equal(0, status)
    local verbs = 0
    for verb in host.read("dev"):gmatch("\ncmd_(%a+)%(%)") do
      assert.matches("\n  " .. verb .. "[ %[]", help)
      verbs = verbs + 1
    end
    assert.is_true(verbs >= 8)
  end)

  it("refuses a verb and an option it does not have", function()
    local output, status = host.run("./dev fly")
    assert.equal(1, status)
    assert.matches("unknown verb 'fly'", output)
    output, status = host.run("./dev test --fulll")
    assert.equal(1, status)
    assert.matches("unknown option %-%-fulll", output)
  end)

  it("runs from any folder", function()
    local output, status = host.run('here=$PWD && cd / && "$here/dev" help')
    assert.equal(0, status)
    assert.matches("^usage: ./dev", output)
  end)

  it("names each package once, in a known group, with a reason", function()
    local list = host.read("dev"):match("<<'LIST'\n(.-)\nLIST\n")
    local seen = {}
    for line in list:gmatch("[^\n]+") do
      local group, name, why = line:match("^(%a+) +(%S+) +(%S.*)$")
      assert(why, "no reason: " .. line)
      assert.is_nil(seen[name])
      seen[name] = true
      assert.truthy(
        ("build test cover docs lint root view bench"):find(group, 1, true))
    end
    assert.is_true(seen["lua-busted"])
  end)
end)

describe("the list of skipped tests", function()
  local function skips(log)
    return (host.run("printf %s " .. host.quote(log)
      .. " | awk -f spec/support/skips.awk"))
  end

  it("has the reason of each C test and of each spec", function()
    assert.equal("Skipped:\n"
      .. "  core.ring_test: ring_works: no io_uring here\n"
      .. "  lua.fd@epoll: needs root\n", skips(
        "1/2 Testing: core.ring_test\nok ring_opens\n"
        .. "skipped: no io_uring here\nok ring_works # SKIP\n"
        .. "2/2 Testing: lua.fd@epoll\nok 1 - fd\nok 2 - # SKIP needs root\n"))
  end)

  it("is empty when nothing was skipped", function()
    assert.equal("", skips("1/1 Testing: core.a\nok a\nok 1 - b\n"))
  end)
end)
