-- What the doc comments describe is what the binary has, no more, no less.
--
-- Functions written in Lua tell the names of their parameters.  Those written
-- in C do not, so each of their parameters gets a value that nothing accepts, a
-- coroutine: the message that is raised must be about that.

local aio = require "aio"
local api = require "support.api"
local described = require "support.described"
local net = require "aio.net"

local function only_in(a, b)
  local list = {}
  for name in pairs(a) do
    if b[name] == nil then
      list[#list + 1] = name
    end
  end
  table.sort(list)
  return list
end

-- Functions, methods and fields, not classes and types.
local function described_names()
  local set = {}
  for _, name in ipairs(described.names) do
    local found = described.found[name]
    if found.entry.owner then
      set[name] = found
    end
  end
  return set
end

describe("the API", function()
  local objects, real
  local found = described_names()

  setup(function()
    objects = api.objects()
    real = api.names(objects)
  end)

  teardown(function()
    api.close(objects)
  end)

  it("is described name by name, and nothing else is", function()
    assert.same({}, only_in(real, found), "not described")
    assert.same({}, only_in(found, real), "not in the binary")
  end)

  it("has functions where functions are described", function()
    for name, value in pairs(real) do
      local is_function = found[name].entry.kind ~= "field"
      assert.equal(is_function, type(value) == "function", name)
    end
  end)

  it("has all of them in the contract's classes", function()
    local contract = require "support.contract"
    for word, methods in pairs(contract.methods) do
      word = ({ file = "f", every = "task" })[word] or word
      for _, method in ipairs(methods) do
        assert(found[word .. ":" .. method], word .. ":" .. method)
      end
    end
  end)
end)

-- ---- parameters -----------------------------------------------------------

local function all_entries(found)
  return { found.entry, table.unpack(found.overloads) }
end

-- The most parameters, of all ways to call it.
local function longest(found)
  local best
  for _, entry in ipairs(all_entries(found)) do
    best = best and #best.params >= #entry.params and best or entry
  end
  return best
end

local function names_of(entry)
  local names = entry.method and { "self" } or {}
  local varargs = false
  for _, param in ipairs(entry.params) do
    if param.name == "..." then
      varargs = true
    else
      names[#names + 1] = param.name
    end
  end
  return names, varargs
end

local function real_names(fn)
  local info = debug.getinfo(fn, "u")
  local names = {}
  for i = 1, info.nparams do
    names[i] = debug.getlocal(fn, i)
  end
  return names, info.isvararg
end

-- Values to go before the one that is wrong.
local GOOD <const> = {
  integer = 0, number = 0, string = "x", boolean = true, ["function"] = print,
  any = 0, ["aio.Size"] = 0, ["aio.What"] = 0, ["aio.Bytes"] = "x",
  ["aio.Where"] = "unix:@x", ["aio.Clock"] = "host", ["aio.Descriptor"] = 0,
  ["aio.LockMode"] = "shared", ["aio.Advice"] = "normal",
  ["aio.SocketType"] = "stream", ["(Buf|string)[]"] = { "x" },
  ["(string|number)[]"] = { "true" },
}

local WORDS <const> = { Buf = "buf", Mutex = "mutex", File = "f", Hist = "hist",
  Context = "ctx", Node = "node" }

local function good(type, objects)
  if type:find('^"') then
    return type:match('^"([^"]*)"')
  elseif type:find("^fun%(") then
    return print
  end
  local first = type:match("^[^|]+")
  local value = GOOD[type]
  if value == nil then
    value = GOOD[first]
  end
  if value == nil then
    value = objects[WORDS[first]]
  end
  return value
end

-- What any value is good for.
local ANYTHING <const> = { any = true, boolean = true }

-- Where the values above would be refused first.
local ARGUMENTS <const> = {
  ["aio.on_signal"] = { "USR2" }, ["aio.select"] = { { 1 } },
  ["f:allocate"] = { 0, 1 }, ["f:punch"] = { 0, 1 }, ["f:zero"] = { 0, 1 },
  ["file.open"] = { "x", "r" }, ["net.udp"] = { "127.0.0.1:0" },
  ["rate:set"] = { 1 }, ["rate:take"] = { 1 }, ["sync.rate"] = { 1 },
  ["sock:option"] = { "sndbuf" },
}

-- Whose message does not say what it got, but what it wants.
local WANTS <const> = {
  ["file.copy"] = "two paths expected",
  ["proc.run"] = "a list of the program and its arguments expected",
  ["proc.spawn"] = "a list of the program and its arguments expected",
}

-- They look at their arguments in the first turn of the loop.
local ITERATORS <const> = { ["sock:lines"] = true, ["sock:chunks"] = true }

local bad = coroutine.create(print)

describe("the parameters", function()
  local objects, real
  local found = described_names()

  setup(function()
    objects = api.objects()
    real = api.names(objects)
    objects["sock:accept"] = assert(net.listen("tcp:127.0.0.1:0"))
    objects["sock:recvfrom"] = assert(net.udp())
    objects["sock:sendto"] = objects["sock:recvfrom"]
    objects.mutex:lock()
  end)

  teardown(function()
    objects["sock:accept"]:close()
    objects["sock:recvfrom"]:close()
    objects["sock:accept"], objects["sock:recvfrom"] = nil, nil
    objects["sock:sendto"] = nil
    api.close(objects)
  end)

  it("of functions written in Lua have the described names", function()
    local count, wrong = 0, {}
    for name, value in pairs(real) do
      local info = type(value) == "function" and debug.getinfo(value, "S")
      if info and info.what ~= "C" then
        local expected, varargs = names_of(longest(found[name]))
        local names, is_vararg = real_names(value)
        if expected[1] == "self" then
          names[1] = "self"
        end
        local is = table.concat(names, ", ") .. (is_vararg and " ..." or "")
        local said = table.concat(expected, ", ") .. (varargs and " ..." or "")
        if is ~= said then
          wrong[#wrong + 1] = ("%s: described (%s), is (%s)"):format(name,
            said, is)
        end
        count = count + 1
      end
    end
    table.sort(wrong)
    assert.same({}, wrong)
    assert.is_true(count > 25)
  end)

  local function call(name, entry, args)
    local ok, result
    if name == "group:spawn" then -- of one that has not ended
      ok, result = pcall(aio.group, function(g)
        g:spawn(table.unpack(args, 1, #entry.params))
      end)
    elseif entry.method then
      local object = objects[name] or objects[entry.owner]
      ok, result = pcall(real[name], object,
        table.unpack(args, 1, #entry.params))
      if ok and ITERATORS[name] then
        ok, result = pcall(result)
      end
    else
      ok, result = pcall(real[name], table.unpack(args, 1, #entry.params))
    end
    return ok, result
  end

  -- Calls it with entry's i-th parameter wrong; the message, if it raises.
  local function complaint(name, entry, i)
    local args = {}
    for k, param in ipairs(entry.params) do
      local given = ARGUMENTS[name] and ARGUMENTS[name][k]
      args[k] = given == nil and good(param.type, objects) or given
    end
    args[i] = bad
    local ok, message = call(name, entry, args)
    return not ok and tostring(message) or "nothing"
  end

  local function is_about(message, name)
    return message:find("thread") or message:find("coroutine")
      or WANTS[name] and message:find(WANTS[name], 1, true)
  end

  it("of all functions are looked at, each in its place", function()
    local silent, count = {}, 0
    for name, value in pairs(real) do
      if type(value) == "function" and found[name].entry.kind == "function" then
        local entry = longest(found[name])
        for i, param in ipairs(entry.params) do
          if param.name ~= "..." and not ANYTHING[param.type] then
            local message = complaint(name, entry, i)
            count = count + 1
            if not is_about(message, name) then
              silent[#silent + 1] = ("%s %s: %s"):format(name, param.name,
                message)
            end
          end
        end
      end
    end
    table.sort(silent)
    assert.same({}, silent)
    assert.is_true(count > 150)
  end)
end)
