-- aioctl policy-lab: the table, the page, JSON, and what goes wrong

local host = require "support.host"

-- A folder of its own that is gone after the spec.
local function in_folder(run)
  local folder = host.run("mktemp -d"):gsub("\n", "")
  finally(function() host.run("rm -rf " .. host.quote(folder)) end)
  return run(folder .. "/")
end

local function write(path, text)
  local f = assert(io.open(path, "w"))
  f:write(text)
  f:close()
  return path
end

local function lab(...)
  local words = { host.quote(host.aioctl), "policy-lab" }
  for i, word in ipairs { ... } do
    words[i + 2] = host.quote(word)
  end
  return host.run(table.concat(words, " "))
end

local SLEEPER <const> = [[
local aio = require "aio"
return function(lab)
  while lab.running() do
    local start = aio.now_ns()
    aio.sleep(0.0002)
    lab.record(aio.now_ns() - start)
  end
end
]]

local QUICK <const> = { "--rounds", "2", "--seconds", "20ms" }

local function quick(path, ...)
  local words = { path, ... }
  table.move(QUICK, 1, #QUICK, #words + 1, words)
  return lab(table.unpack(words))
end

describe("aioctl policy-lab", function()
  it("prints a row for each policy in at most 80 columns", function()
    in_folder(function(folder)
      local output, status = quick(write(folder .. "w.lua", SLEEPER),
        "--policies", "default,sleep,qemu,latency_target=99,busy")
      assert.equal(0, status, output)
      local lines = {}
      for line in output:gmatch("[^\n]+") do
        assert.is_true(utf8.len(line) <= 80, line)
        lines[#lines + 1] = line:match("^%S+")
      end
      assert.same({ "policy", "default", "sleep", "qemu", "latency_target=9",
        "busy" }, lines)
    end)
  end)

  it("measures what the workload records", function()
    in_folder(function(folder)
      local output, status = quick(write(folder .. "w.lua", SLEEPER), "--json",
        "--policies", "sleep")
      assert.equal(0, status, output)
      local json = assert(require "dkjson".decode(output))
      local row = json.policies[1]
      assert.equal("sleep", row.policy)
      assert.equal(2, row.rounds)
      assert.is_true(row.latency_ns.p1 >= 200000)
      assert.is_true(row.latency_ns.p99 >= row.latency_ns.p50)
      assert.is_true(row.ops_per_second > 1 and row.ops_per_second < 5000)
      assert.is_true(row.sleeps_per_op > 0.5)
      assert.is_true(row.cpu_ns_per_op > 0)
      local told = os.getenv("AIOCTL_FDMON")
      assert.equal(told or json.fdmon, json.fdmon)
    end)
  end)

  it("runs each policy as often, and gives the workload its arguments",
    function()
      in_folder(function(folder)
        local log = folder .. "log"
        local path = write(folder .. "w.lua", [[
          return function(lab)
            local f = io.open(lab.args[1], "a")
            f:write(require "aio".context():policy() or "none", "\n")
            f:close()
            print("not in the results")
            while lab.running() do lab.record(1000) end
          end]])
        local output, status = lab(path, log, "--policies", "default,busy",
          "--rounds", "2", "--seconds", "10ms")
        assert.equal(0, status, output)
        assert.matches("not in the results", output)
        assert.equal("none\nbusy\nbusy\nnone\n", host.read(log))
      end)
    end)

  it("takes a policy of one's own from a file", function()
    in_folder(function(folder)
      local mine = write(folder .. "mine.lua",
        "return {name = 'mine', set = {poll_max_ns = 5}}")
      local output, status = quick(write(folder .. "w.lua", SLEEPER),
        "--policies", mine)
      assert.equal(0, status, output)
      assert.matches("\nmine.lua +%d+", output)
    end)
  end)

  it("writes a page with the figures of each policy", function()
    in_folder(function(folder)
      local page = folder .. "out.html"
      local output, status = quick(write(folder .. "w<1>.lua", SLEEPER),
        "--policies", "sleep,qemu", "--html", page)
      assert.equal(0, status, output)
      local text = host.read(page)
      assert.matches("<td>sleep</td>", text, 1, true)
      assert.matches("<td>qemu</td>", text, 1, true)
      assert.matches("w&lt;1&gt;.lua</h1>", text, 1, true)
      assert.equal(2, select(2, text:gsub("<svg ", "")))
    end)
  end)

  local WRONG <const> = {
    ["a workload that is no function"] =
      { "return 5", "returns a number, not a function%(lab%)" },
    ["a workload that does not compile"] = { "return =", "unexpected symbol" },
    ["a workload that raises"] =
      { "return function() error('oops') end", "oops" },
    ["a workload that records nothing"] =
      { "return function(lab) while lab.running() do end end",
        "nothing was recorded" },
  }
  for title, case in pairs(WRONG) do
    it("says what is wrong with " .. title, function()
      in_folder(function(folder)
        local output, status = quick(write(folder .. "w.lua", case[1]))
        assert.equal(1, status)
        assert.matches(case[2], output)
        -- A traceback is for errors inside of the workload only.
        assert.equal(case[2] == "oops", output:find("traceback") ~= nil)
        assert.matches("aioctl policy%-lab: %S+w.lua under policy sleep ended "
          .. "with status 1", output)
      end)
    end)
  end

  it("says when a policy was removed during the run", function()
    in_folder(function(folder)
      local mine = write(folder .. "mine.lua",
        "return {every = 0.001, decide = function() error('bad') end}")
      local output, status = quick(write(folder .. "w.lua", SLEEPER),
        "--policies", mine)
      assert.equal(1, status)
      assert.matches("was removed during the run", output)
      assert.matches("bad", output)
    end)
  end)

  it("refuses what it does not know before it runs anything", function()
    in_folder(function(folder)
      local path = write(folder .. "w.lua", SLEEPER)
      local function refuses(pattern, ...)
        local output, status = lab(...)
        assert.equal(1, status)
        assert.matches(pattern, output)
      end
      refuses("Did you mean 'sleep'", path, "--policies", "slep")
      refuses("percentile must be", path, "--policies", "latency_target=x")
      refuses("percentile must be", path, "--policies", "latency_target=101")
      refuses("no policy is named", path, "--policies", ",")
      refuses("No such file", path, "--policies", folder .. "none.lua")
      refuses("none.lua: No such file", folder .. "none.lua")
      refuses("out: No such file", path, "--html", folder .. "no/out")
      refuses("number from 1", path, "--rounds", "0")
      refuses("10ms to 1h", path, "--seconds", "1ns")
      refuses("is no duration", path, "--seconds", "soon")
      refuses("WORKLOAD", "--json")
    end)
  end)

  it("runs the workloads among the examples", function()
    in_folder(function(folder)
      local output, status = quick("examples/lab/wakeup.lua", "--json",
        "--policies", "sleep")
      assert.equal(0, status, output)
      local row = require "dkjson".decode(output).policies[1]
      -- It does wait: not always, as the pool may answer before the loop
      -- sleeps; never, if requests were answered at once.
      assert.is_true(row.sleeps_per_op > 0, output)
      host.run("head -c 100k /dev/urandom >" .. folder .. "data")
      output, status = quick("examples/lab/randread.lua", folder .. "data")
      assert.equal(0, status, output)
      output, status = quick("examples/lab/randread.lua")
      assert.equal(1, status)
      assert.matches("which file", output)
    end)
  end)
end)
