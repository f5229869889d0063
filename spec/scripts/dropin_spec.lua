-- aioctl runs what was written for lua: busted suites, and the C modules of the
-- system.

local host = require "support.host"

local suites = {}

suites.passes = [[
describe("a suite", function()
  local calls = 0
  before_each(function() calls = calls + 1 end)
  it("runs hooks", function() assert.equal(1, calls) end)
  it("runs hooks each time", function() assert.equal(2, calls) end)
  pending("has something to do later")
end)
]]

suites.fails = [[
describe("a suite", function()
  it("passes", function() assert.is_true(true) end)
  it("fails", function() assert.equal(1, 2) end)
end)
]]

suites.errs = [[
describe("a suite", function()
  it("has an error", function() error("oops") end)
end)
]]

suites.broken = "describe('a suite', function("

suites.parks = [[
local aio = require "aio"
describe("a suite that parks", function()
  local order = {}
  setup(function() aio.sleep(0.001) end)
  before_each(function() aio.yield() end)
  after_each(function() aio.sleep(0.001) end)
  it("parks in it", function()
    local task = aio.spawn(function() order[#order + 1] = "task" end)
    aio.sleep(0.002)
    order[#order + 1] = "it"
    task:join()
    assert.same({ "task", "it" }, order)
  end)
  it("parks in pcall", function()
    assert.is_true(pcall(aio.sleep, 0.001))
    assert.has_error(function() aio.yield() error("x", 0) end, "x")
  end)
  it("parks in a comparator", function()
    local list = { 3, 1, 2 }
    table.sort(list, function(a, b) aio.yield() return a < b end)
    assert.same({ 1, 2, 3 }, list)
  end)
end)
]]

suites.parks_and_fails = [[
local aio = require "aio"
describe("a suite that parks", function()
  it("fails after a park", function()
    aio.sleep(0.001)
    assert.equal(1, 2)
  end)
end)
]]

local dir

local function run_suite(name)
  local path = ("%s/%s_spec.lua"):format(dir, name)
  local file = assert(io.open(path, "w"))
  file:write(suites[name])
  file:close()
  return host.run(("busted --lua=%s -o plainTerminal %s"):format(
    host.quote(host.aioctl), path), 20)
end

describe("busted under aioctl", function()
  lazy_setup(function()
    dir = os.tmpname()
    os.remove(dir)
    assert(os.execute("mkdir " .. dir))
  end)
  lazy_teardown(function()
    os.execute("rm -r " .. dir)
  end)

  it("runs an ordinary suite", function()
    local output, status = run_suite("passes")
    assert.matches("2 successes / 0 failures / 0 errors / 1 pending", output)
    assert.equal(0, status)
  end)

  it("ends with the number of failures", function()
    local output, status = run_suite("fails")
    assert.matches("1 success / 1 failure / 0 errors", output)
    assert.equal(1, status)
  end)

  it("ends with the number of errors", function()
    local output, status = run_suite("errs")
    assert.matches("0 successes / 0 failures / 1 error", output)
    assert.equal(1, status)
  end)

  it("reports a suite that does not compile", function()
    local output, status = run_suite("broken")
    assert.matches("1 error", output)
    assert.equal(1, status)
  end)

  it("lets a suite park in it, hooks, pcall and a comparator", function()
    local output, status = run_suite("parks")
    assert.matches("3 successes / 0 failures / 0 errors", output)
    assert.equal(0, status)
  end)

  it("counts a failure after a park", function()
    local output, status = run_suite("parks_and_fails")
    assert.matches("0 successes / 1 failure / 0 errors", output)
    assert.equal(1, status)
  end)
end)

local modules = {
  lfs = "assert(m.attributes('.', 'mode') == 'directory')",
  lpeg = "assert(m.match(m.R('09') ^ 1, '42x') == 3)",
  cjson = "assert(m.decode('[7]')[1] == 7)",
  socket = "local s = m.tcp() assert(s:bind('127.0.0.1', 0)) s:close()",
  ["pl.pretty"] = "assert(m.write({ 1 }, '') == '{1}')",
  argparse = "assert(m('x'):parse({}))",
  luv = "local t = m.new_timer() " ..
    "t:start(1, 0, function() t:close() end) m.run()",
  cqueues = "local q = m.new() " ..
    "q:wrap(function() m.sleep(0) end) assert(q:loop())",
  luassert = "m.equal(1, 1)",
}

describe("the system's module", function()
  for name, use in pairs(modules) do
    for _, with_aio in ipairs { false, true } do
      it(name .. " works" .. (with_aio and " beside aio" or ""), function()
        local code = ("%slocal m = require %q %s print('fine')"):format(
          with_aio and "require 'aio' " or "", name, use)
        local output, status = host.run(("%s -e %s"):format(
          host.quote(host.aioctl), host.quote(code)))
        assert.equal("fine\n", output)
        assert.equal(0, status)
      end)
    end
  end
end)
