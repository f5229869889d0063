-- Types of options and of results are those that the binary takes and gives.
--
-- Each field of a table of options gets a value that nothing accepts, a
-- coroutine: the message must be about that value, not about a field that
-- nobody knows; and a field that is not described must be refused.

local aio = require "aio"
local described = require "support.described"
local file = require "aio.file"
local host = require "support.host"
local model = require "aio.doc.model"
local net = require "aio.net"
local policy = require "aio.policy"
local proc = require "aio.proc"
local syntax = require "aio.doc.syntax"

local BUILT_IN <const> = {
  any = true, boolean = true, integer = true, number = true, string = true,
  table = true, userdata = true, ["function"] = true, ["nil"] = true,
  ["true"] = true, ["false"] = true, ["file*"] = true,
}

-- All fields of a class, also those of its base.
local function fields_of(name)
  local set = {}
  while name do
    local entry = described.found[name].entry
    for _, field in ipairs(entry.fields) do
      set[field.name] = field
    end
    name = entry.base
  end
  return set
end

local function keys(t)
  local list = {}
  for key in pairs(t) do
    list[#list + 1] = key
  end
  table.sort(list)
  return list
end

describe("the types", function()
  local mentioned = {}
  for _, name in ipairs(described.names) do
    model.each_type(described.found[name].entry, function(type)
      syntax.type_names(type, function(word)
        mentioned[word] = name
      end)
    end)
  end

  it("that are mentioned are described", function()
    local modules = { ["aio.file"] = true, ["aio.policy"] = true,
      ["aio.sync"] = true }
    for word, where in pairs(mentioned) do
      assert(BUILT_IN[word] or described.found[word] or modules[word],
        where .. " mentions " .. word)
    end
  end)

  it("that are described are mentioned", function()
    for _, name in ipairs(described.names) do
      local entry = described.found[name].entry
      if model.is_type(entry) then
        assert(mentioned[name], "nothing takes or gives " .. name)
      end
    end
  end)
end)

-- ---- options --------------------------------------------------------------

local function none() end

-- A call with each table of options; what it returns is closed.
local CALLS <const> = {
  ["aio.TimerOptions"] = function(o)
    o.fn = o.fn or none
    return aio.timer(o)
  end,
  ["aio.FdOptions"] = function(o) return aio.fd(0, o) end,
  ["aio.NotifierOptions"] = function(o) return aio.notifier(o) end,
  ["aio.GroupOptions"] = function(o) aio.group(none, o) end,
  ["aio.BatchOptions"] = function(o) aio.batch(none, o) end,
  ["aio.Settings"] = function(o) return aio.context(o) end,
  ["aio.Policy"] = function(o)
    local ctx <close> = aio.context { fdmon = "poll" }
    ctx:policy(o)
  end,
  ["aio.BufOptions"] = function(o) o.size = o.size or 1 return aio.buf(o) end,
  ["aio.BufPoolOptions"] = function(o)
    o.size, o.count = o.size or 1, o.count or 1
    return aio.bufpool(o)
  end,
  ["aio.OpenOptions"] = function(o) return file.open("/dev/null", "r", o) end,
  ["aio.CopyOptions"] = function(o) return file.copy("dev", "/none/b", o) end,
  ["aio.WatchOptions"] = function(o) return file.watch(".", o) end,
  ["aio.LockOptions"] = function(o)
    local f <close> = assert(file.tmp("."))
    assert(f:lock("shared", o))
  end,
  ["aio.ListenOptions"] = function(o)
    return net.listen("tcp:127.0.0.1:0", o)
  end,
  ["aio.DialOptions"] = function(o) return net.dial("unix:@none", o) end,
  ["aio.ResolveOptions"] = function(o) net.resolve("127.0.0.1", o) end,
  ["aio.LineOptions"] = function(o)
    local a, b = net.pair()
    local _ <close> = a
    local _ <close> = b
    a:send("\n")
    b:recv_line(o)
  end,
  ["aio.StartTlsOptions"] = function(o)
    local a, b = net.pair()
    local _ <close> = a
    b:close()
    a:starttls(o)
  end,
  ["aio.SpawnOptions"] = function(o) o[1] = "true" return proc.spawn(o) end,
  ["aio.RunOptions"] = function(o) proc.run({ "true" }, o) end,
  ["aio.IOThreadOptions"] = function(o) return aio.iothread(nil, o) end,
  ["aio.LatencyTarget"] = function(o) policy.latency_target(o) end,
}

-- Any value will do for a flag.
local function is_flag(field)
  return field.type == "boolean"
end

local bad = coroutine.create(none)

local function is_about(message, key)
  return message:find("thread") or message:find("coroutine")
    or message:find("%f[%w]" .. key .. "%f[^%w_]")
end

local function try(name, options)
  local ok, result, message = pcall(CALLS[name], options)
  if ok and result and type(result) ~= "boolean" then
    result:close()
  end
  return not ok and tostring(result) or message or "nothing"
end

describe("the options", function()
  for name in pairs(CALLS) do
    it("of " .. name .. " are looked at", function()
      local silent = {}
      local fields = fields_of(name)
      fields["[integer]"] = nil
      for key, field in pairs(fields) do
        local message = try(name, { [key] = bad })
        if not is_about(message, key) and not is_flag(field)
          or message:find("unknown option", 1, true) then
          silent[#silent + 1] = key .. ": " .. message
        end
      end
      table.sort(silent)
      assert.same({}, silent)
    end)

    it("of " .. name .. " are all", function()
      assert.matches("unknown", try(name, { nonsense = 1 }))
    end)
  end
end)

-- ---- results --------------------------------------------------------------

-- Fields that are not there each time are marked with "?".
local function check_result(name, value)
  local fields = fields_of(name)
  for key in pairs(value) do
    assert(fields[key], ("%s: '%s' is not described"):format(name, key))
  end
  for key, field in pairs(fields) do
    assert(value[key] ~= nil or field.optional,
      ("%s: '%s' is described, but not there"):format(name, key))
  end
end

describe("the fields of results are described:", function()
  it("of contexts", function()
    local ctx <close> = aio.context { fdmon = "poll" }
    ctx:set { timing = true }
    check_result("aio.Stats", ctx:stats())
    assert.same(keys(fields_of("aio.Stats")), keys(ctx:stats()))
    check_result("aio.CurrentSettings", ctx:get())
  end)

  it("of policies", function()
    local ctx <close> = aio.context { fdmon = "poll", poll_max_ns = 1000 }
    local delta
    ctx:policy { every = 0.001, decide = function(d) delta = d end }
    while not delta do ctx:poll(true) end
    check_result("aio.Delta", delta)
  end)

  it("of the program", function()
    check_result("aio.AllStats", aio.stats())
    local timer <close> = aio.timer { fn = none }
    check_result("aio.HandleInfo", aio.handles()[1])
    assert.is_false(timer:pending())
    check_result("aio.Probe", aio.probe())
    check_result("aio.Backend", aio.probe().engines[1])
  end)

  it("of buffers and files", function()
    local pool <close> = aio.bufpool { count = 1, size = 512 }
    check_result("aio.BufPoolStats", pool:stats())
    check_result("aio.Stat", file.stat("/dev/null"))
  end)

  it("of watches", function()
    local folder = host.lines("mktemp -d")[1]
    local watch <close> = assert(file.watch(folder))
    assert(file.mkdir(folder .. "/d"))
    check_result("aio.WatchEvent", watch:next(5))
    host.run("rm -r " .. host.quote(folder))
  end)

  it("of processes", function()
    check_result("aio.RunResult", proc.run { "true" })
    local child <close> = proc.spawn { "true" }
    check_result("aio.ExitStatus", child:wait())
  end)

  it("of TLS", function()
    local psk = { identity = "i", key = ("k"):rep(32) }
    local a, b = net.pair()
    local _ <close> = a
    local _ <close> = b
    local server = aio.spawn(a.starttls, a, { server = true, psk = psk })
    assert(b:starttls { psk = psk })
    assert(server:join())
    check_result("aio.TlsFacts", b:tls())
  end)
end)
