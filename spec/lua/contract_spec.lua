--- Every name of spec/support/contract.lua is in the binary, of the right kind.
local aio = require "aio"
local block = require "aio.block"
local contract = require "support.contract"
local file = require "aio.file"
local host = require "support.host"
local net = require "aio.net"
local proc = require "aio.proc"
local sync = require "aio.sync"

local function is_callable(value)
  local meta = getmetatable(value)
  return type(value) == "function" or meta and meta.__call ~= nil
end

-- One object of each class by its name in the contract.
local function make_objects()
  local group
  aio.group(function(g) group = g end)
  local bh = aio.bh(print)
  return {
    bh = bh, remote = bh:remote(), timer = aio.timer { fn = print },
    handler = assert(aio.fd(assert(io.open("/dev/null")), {})),
    notifier = assert(aio.notifier()), group = group,
    signal = aio.on_signal("USR2", print), task = aio.self(),
    every = aio.every(60, print), waker = aio.self():waker(),
    ctx = aio.context { fdmon = "poll" }, buf = aio.buf(1),
    pool = aio.bufpool { count = 1, size = 512 }, hist = aio.hist(),
    thread = assert(aio.iothread()), chan = sync.chan(), sem = sync.sem(1),
    mutex = sync.mutex(), guard = sync.mutex():guard(),
    lock = assert(file.tmp("."):lock("shared")),
    rwlock = sync.rwlock(), cond = sync.cond(), event = sync.event(),
    latch = sync.latch(1), rate = sync.rate(1), file = assert(file.tmp(".")),
    node = assert(block.open "null:1M"),
    sock = net.pair(), watch = assert(file.watch(".")),
    process = assert(proc.spawn { "true", stdin = "pipe", stdout = "pipe",
      stderr = "pipe" }),
  }
end

local function close_objects(objects)
  objects.every:cancel()
  objects.every:pjoin()
  for name, object in pairs(objects) do
    if contract.methods[name] and is_callable(object.close) then
      object:close()
    end
  end
end

-- with_objects(fn): fn(objects), and they are closed whatever it does.
local function with_objects(fn)
  local objects <close> = setmetatable(make_objects(),
    { __close = close_objects })
  fn(objects)
end

local function missing(owner, names, has)
  local list = {}
  for _, name in ipairs(names) do
    if not has(name) then
      list[#list + 1] = owner .. name
    end
  end
  return list
end

local function assert_none(list)
  assert.same({}, list, "names of the contract that are missing")
end

-- A call with options: what it is with this table of options.  What it opened
-- is closed.
local CALLS <const> = {
  ["aio.timer"] = function(options)
    options.fn = print
    return aio.timer(options)
  end,
  ["aio.fd"] = function(options)
    local null <close> = assert(io.open("/dev/null"))
    if options.poll or options.poll_ready then -- only together
      options.poll, options.poll_ready = print, print
    end
    aio.fd(null, options):close()
  end,
  ["aio.group"] = function(options) aio.group(function() end, options) end,
  ["aio.context"] = aio.context,
  ["ctx:set"] = function(options)
    local ctx <close> = aio.context { fdmon = "poll" }
    assert(ctx:set(options))
  end,
  ["aio.batch"] = function(options) aio.batch(function() end, options) end,
  ["ctx:policy"] = function(options)
    options.decide = options.decide or function() end
    local ctx <close> = aio.context { fdmon = "poll", poll_max_ns = 1000 }
    ctx:policy(options):policy(nil)
  end,
  ["aio.buf"] = function(options)
    options.size = options.size or 512
    return aio.buf(options)
  end,
  ["aio.bufpool"] = function(options)
    options.count, options.size = options.count or 1, options.size or 512
    return aio.bufpool(options)
  end,
  ["aio.iothread"] = function(options)
    return aio.iothread("options", options)
  end,
  ["file.open"] = function(options)
    return file.open("/dev/null", "r", options)
  end,
  ["net.listen"] = function(options)
    return net.listen("tcp:127.0.0.1:0", options)
  end,
  ["net.dial"] = function(options)
    return net.dial("unix:@aioctl-nobody-listens-here", options)
  end,
  ["sock:starttls"] = function(options)
    local a <const>, b <close> = net.pair()
    b:close() -- so that the handshake fails at once, if TLS is there at all
    a:starttls(options)
    return a
  end,
  ["proc.spawn"] = function(options)
    options[1] = "true"
    return proc.spawn(options)
  end,
  ["proc.run"] = function(options)
    assert(proc.run({ "true" }, options))
  end,
}

-- A processor that this process may run on.
local CPU <const> = tonumber(host.read("/proc/self/status")
  :match("Cpus_allowed_list:%s*(%d+)"))

local function call_with(call, key, value)
  local ctx <close> = aio.context { fdmon = "poll" }
  local real = { ctx = ctx, cpu = CPU } -- what a word in the contract means
  local object = CALLS[call] { [key] = real[value] or value }
  if object and object.close then
    object:close()
  end
end

describe("the contract", function()
  it("has its functions", function()
    for module, names in pairs(contract.functions) do
      local functions = require(module)
      assert_none(missing(module .. ".", names,
        function(name) return is_callable(functions[name]) end))
    end
  end)

  it("has its methods", function()
    with_objects(function(objects)
      for class, names in pairs(contract.methods) do
        assert_none(missing(class .. ":", names,
          function(name) return is_callable(objects[class][name]) end))
      end
    end)
  end)

  it("closes what holds a resource by scope and by collection", function()
    with_objects(function(objects)
      for class, names in pairs(contract.metamethods) do
        local meta = getmetatable(objects[class])
        assert_none(missing(class .. " ", names,
          function(name) return is_callable(meta[name]) end))
      end
    end)
  end)

  it("has its fields", function()
    with_objects(function(objects)
      local fields = {
        file = objects.file, process = objects.process, errno = aio.errno,
        node = objects.node,
        settings = aio.context():get(), stats = aio.context():stats(),
        all_stats = aio.stats(), result = assert(proc.run { "true" }),
        timed_stats = aio.context { timing = true }:stats(),
        killed = assert(proc.run { "sh", "-c", "kill -9 $$" }),
      }
      for owner, names in pairs(contract.fields) do
        assert_none(missing(owner .. ".", names,
          function(name) return fields[owner][name] ~= nil end))
      end
    end)
  end)

  for call, options in pairs(contract.options) do
    it("has the options of " .. call .. " and refuses others", function()
      for key, value in pairs(options) do
        local ok, err = pcall(call_with, call, key, value)
        assert(ok, key .. ": " .. tostring(err))
      end
      local ok, err = pcall(call_with, call, "no_such", 1)
      assert.is_false(ok)
      assert.matches("no_such", err)
    end)
  end

  it("has its clocks, engines and monitors", function()
    assert_none(missing("clock ", contract.values.clock,
      function(name) return pcall(aio.clock, name) end))
    assert_none(missing("engine ", contract.values.engine, function(name)
      local f <close> = assert(file.open("/dev/null", "r", { engine = name }))
      return f.engine ~= nil
    end))
    assert_none(missing("fdmon ", contract.values.fdmon, function(name)
      local ctx <close> = aio.context { fdmon = name }
      return ctx:get().fdmon == name or ctx:get().fdmon_fallback ~= nil
    end))
  end)

  it("has its policies", function()
    assert_none(missing("aio.policy.", contract.values.policy, function(name)
      local policy = aio.policy[name]
      return type(is_callable(policy) and policy {} or policy) == "table"
    end))
  end)

  it("has its options of the host and its commands", function()
    local help = host.run(host.quote(host.aioctl) .. " --help=all")
    assert_none(missing("", contract.host, function(name)
      return help:find("\n%s[^\n]-" .. name:gsub("%p", "%%%0") .. "%f[^%w-]")
    end))
    local commands = " " .. help:match("\nCommands [^\n]*\n([^\n]*)") .. " "
    assert_none(missing("aioctl ", contract.commands,
      function(name) return commands:find(" " .. name .. " ", 1, true) end))
  end)

  it("names as later only what is not there yet", function()
    local commands = host.run(host.quote(host.aioctl) .. " --help")
    for _, name in ipairs(contract.later) do
      local owner, key = name:match("^(%w+)[.:](.+)$")
      local there = owner == "aio" and aio[key] ~= nil
        or owner == "aioctl" and commands:find("\n  [^\n]*%f[%w]" .. key
          .. "%f[^%w][^\n]*\n'aioctl help")
      assert.is_falsy(there, name .. " is there: move it from later")
    end
  end)
end)
