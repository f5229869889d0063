-- docs/lua-api.md and types/ name what the binary has, no more, no less.
--
-- On the page a name stands in bold code at its entry, **`buf:slice(off)`**;
-- in the types as "function Class:name(" or "---@field name".  Names of methods
-- are compared as CLASS:name, where CLASS is the page's word for an object.

local aio = require "aio"
local file = require "aio.file"
local host = require "support.host"
local net = require "aio.net"
local proc = require "aio.proc"
local policy = require "aio.policy"
local sync = require "aio.sync"

local FILE_FIELDS <const> = {
  "fd", "path", "engine", "fallback", "direct", "align", "registered",
}

-- The page's word for each class, and how to come by an object of it.
local function objects()
  local bh = aio.bh(print)
  local group
  aio.group(function(g) group = g end)
  return {
    task = aio.self(), bh = bh, remote = bh:remote(),
    timer = aio.timer { fn = print }, notifier = assert(aio.notifier()),
    handler = assert(aio.fd(assert(io.open("/dev/null")), {})),
    signal = aio.on_signal("USR2", print), ctx = aio.context { fdmon = "poll" },
    group = group, buf = aio.buf(1), hist = aio.hist(),
    pool = aio.bufpool { count = 1, size = 512 }, chan = sync.chan(),
    sem = sync.sem(1), mutex = sync.mutex(), event = sync.event(),
    guard = sync.mutex():guard(), rwlock = sync.rwlock(), cond = sync.cond(),
    latch = sync.latch(1), rate = sync.rate(1), watch = file.watch("."),
    lock = file.tmp(".", {}):lock("shared"),
    sock = net.pair(),
    address = net.address("tcp:127.0.0.1:1"),
    process = assert(proc.spawn { "true" }),
    thread = aio.iothread(),
  }
end

local function add_names(names, prefix, functions)
  for name in pairs(functions) do
    names[prefix .. name] = true
  end
end

-- A class written in Lua is its own metatable.
local function without_meta(class)
  local methods = {}
  for name, method in pairs(class) do
    methods[name] = not name:find("^__") and method or nil
  end
  return methods
end

-- names() -> set of "aio.x", "task:x", "f.x"
local function names()
  local set = {}
  add_names(set, "aio.", aio)
  add_names(set, "file.", file)
  add_names(set, "sync.", sync)
  add_names(set, "policy.", policy)
  add_names(set, "f:", file.methods)
  add_names(set, "net.", net)
  add_names(set, "proc.", proc)
  for _, field in ipairs(FILE_FIELDS) do
    set["f." .. field] = true
  end
  for _, field in ipairs { "stdin", "stdout", "stderr" } do
    set["process." .. field] = true
  end
  for word, object in pairs(objects()) do
    add_names(set, word .. ":", without_meta(getmetatable(object).__index))
    if getmetatable(object).__index.close then
      object:close()
    end
  end
  return set
end

local function described()
  local set = {}
  for line in io.lines("docs/lua-api.md") do
    for code in line:gmatch("%*%*`([^`]+)`%*%*") do
      local name = code:match("^%a+[.:][%w_]+")
      if name then
        set[name] = true
      end
    end
  end
  return set
end

-- The class of the types file -> the page's word.
local WORDS <const> = {
  aio = "aio.", file = "file.", sync = "sync.", policy = "policy.",
  ["aio.file"] = "file.", ["aio.sync"] = "sync.",
  ["aio.policy"] = "policy.",
  Task = "task:", BH = "bh:", RemoteBH = "remote:", Timer = "timer:",
  Notifier = "notifier:", FdHandler = "handler:", SignalHandler = "signal:",
  Context = "ctx:", Group = "group:", Buf = "buf:", Hist = "hist:",
  BufPool = "pool:", Chan = "chan:", Sem = "sem:", Mutex = "mutex:",
  Event = "event:", Guard = "guard:", File = "f:",
  Watch = "watch:", FileLock = "lock:",
  Rwlock = "rwlock:", Cond = "cond:", Latch = "latch:", Rate = "rate:",
  ["aio.net"] = "net.", net = "net.", ["aio.proc"] = "proc.", proc = "proc.",
  Socket = "sock:", Address = "address:", Process = "process:",
  IOThread = "thread:",
}

-- One line of the types into the set; @class is the last one declared.
local function add_type(set, line, class)
  local owner, name = line:match("^function (%a+)[.:]([%w_]+)%(")
  if owner then
    set[(WORDS[owner] or "unknown class ") .. name] = true
    return
  end
  name = line:match("^%-%-%-@field ([%w_]+)%??%s")
  if name and (class == "File" or class == "Process") then
    set[(class == "File" and "f." or "process.") .. name] = true
  elseif name and WORDS[class] then
    set[WORDS[class] .. name] = true
  end
end

local TYPES <const> = host.lines("find types -name '*.lua'")

local function typed()
  local set = {}
  for _, path in ipairs(TYPES) do
    local class
    for line in io.lines(path) do
      class = line:match("^%-%-%-@class ([%w_.]+)") or class
      add_type(set, line, class)
    end
  end
  return set
end

local function only_in(a, b)
  local list = {}
  for name in pairs(a) do
    if not b[name] then
      list[#list + 1] = name
    end
  end
  table.sort(list)
  return list
end

describe("the Lua API", function()
  local real = names()

  it("has an entry for each name on its page, and no others", function()
    local page = described()
    assert.same({}, only_in(real, page), "not on the page")
    assert.same({}, only_in(page, real), "only on the page")
  end)

  it("has a type for each name, and no others", function()
    local types = typed()
    assert.same({}, only_in(real, types), "not in the types")
    assert.same({}, only_in(types, real), "only in the types")
  end)

  it("has types that are Lua", function()
    assert.is_true(#TYPES > 1)
    for _, path in ipairs(TYPES) do
      assert(loadfile(path))
    end
  end)

  it("uses each name in an example", function()
    local code = {}
    for block in host.read("docs/lua-api.md"):gmatch("```lua\n(.-)\n```") do
      code[#code + 1] = block
    end
    local text = table.concat(code, "\n")
    local missing = {}
    for name in pairs(real) do
      if not text:find("[.:]" .. name:match("[%w_]+$") .. "%f[^%w_]") then
        missing[#missing + 1] = name
      end
    end
    table.sort(missing)
    assert.same({}, missing)
  end)
end)
