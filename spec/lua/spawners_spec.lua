-- The chain of spawners in tracebacks of tasks.

local aio = require "aio"
local host = require "support.host"

-- The lines after "spawned at:".
local function chain(text)
  local list = {}
  local tail = assert(text:match("\nspawned at:(.*)$"), text)
  for line in tail:gmatch("\n\t([^\n]*)") do
    list[#list + 1] = line
  end
  return list
end

local function finish(...)
  for _, task in ipairs { ... } do
    task:cancel()
    task:pjoin()
  end
end

describe("a task's traceback", function()
  it("says where it was spawned, in which function and by which task, up to "
    .. "the first", function()
    local server, inner
    local function serve()
      inner = aio.spawn(aio.park)
      aio.park()
    end
    local function accept()
      aio.self():name("acceptor")
      server = aio.spawn(serve)
      aio.park()
    end
    local outer = aio.spawn(accept)
    aio.yield()
    aio.yield()
    local list = chain(inner:traceback())
    assert.matches("spawners_spec.lua:%d+: in [^\n]*, task$", list[1])
    assert.matches("spawners_spec.lua:%d+: in [^\n]*, task 'acceptor'$",
      list[2])
    assert.matches("spawners_spec.lua:%d+: in [^\n]*, main task$", list[3])
    assert.equal(3, #list)
    finish(outer, server, inner)
  end)

  it("has the names that spawners had at that time", function()
    local first, second
    local outer = aio.spawn(function()
      first = aio.spawn(aio.park)
      aio.self():name("late")
      second = aio.spawn(aio.park)
    end)
    outer:join()
    assert.matches(", task$", chain(first:traceback())[1])
    assert.matches(", task 'late'$", chain(second:traceback())[1])
    finish(first, second)
  end)

  it("shows the chain with its error", function()
    local inner
    local outer = aio.spawn(function()
      inner = aio.spawn(error, "lost")
    end)
    outer:name("spawner"):join()
    assert.is_false((inner:pjoin()))
    assert.matches("stack traceback:\n.*\nspawned at:\n", inner:traceback())
    assert.matches(", task 'spawner'$", chain(inner:traceback())[1])
  end)

  it("names the kind of callback that spawned it", function()
    local task
    local bh <close> = aio.bh(function() task = aio.spawn(aio.park) end)
    bh:schedule()
    aio.yield()
    aio.yield()
    local list = chain(task:traceback())
    assert.matches(", bh$", list[1])
    assert.equal(1, #list)
    finish(task)
  end)

  it("keeps a bounded part of a chain that goes on for ever", function()
    local last
    local function again(n)
      if n > 0 then
        aio.spawn(again, n - 1)
      else
        last = chain(aio.self():traceback())
      end
    end
    again(2000)
    while not last do
      aio.yield()
    end
    assert.equal(17, #last)
    assert.matches("long chains are shortened", last[17])
  end)

  it("begins anew when a chain of different places is too long", function()
    local last
    local source = { "local aio, tell = ... local f0 = tell " }
    for i = 1, 40 do
      source[#source + 1] =
        ("local function f%d() aio.spawn(f%d) end"):format(i, i - 1)
    end
    source[#source + 1] = "return f40"
    assert(load(table.concat(source, "\n"), "=long"))(aio, function()
      last = chain(aio.self():traceback())
    end)()
    while not last do
      aio.yield()
    end
    assert.matches("^long:2: in ", last[1])
    assert.is_true(#last >= 2 and #last <= 17)
    assert.matches("long chains are shortened", last[#last])
  end)

  it("keeps no spawner alive", function()
    local seen = setmetatable({}, { __mode = "k" })
    local inner
    do
      local function spawner() inner = aio.spawn(aio.park) end
      local outer = aio.spawn(spawner)
      outer:join()
      seen[spawner], seen[outer] = true, true
    end
    aio.yield()
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(seen))
    finish(inner)
  end)

  it("is complete in the report of a deadlock", function()
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    local file <close> = assert(io.open(path, "w"))
    file:write [[
      local aio = require "aio"
      aio.spawn(function()
        aio.self():name("outer")
        aio.spawn(aio.park):name("inner")
      end)
    ]]
    file:close()
    local output, status = host.run(host.quote(host.aioctl) .. " " .. path)
    assert.equal(3, status)
    assert.matches("task 'inner'.* is parked\nstack traceback:\n.*\n" ..
      "spawned at:\n\t[^\n]*:4: in [^\n]*, task 'outer'\n" ..
      "\t[^\n]*:2: in main chunk, main task\n", output)
  end)
end)
