-- sidebyside - one shell command, run by stock lua and by aioctl
--
-- Commands say "$LUA" for the interpreter and run in a folder of their own,
-- where the fixtures are.  What differs by nature is made equal: the program's
-- name, addresses, and the one line our usage message has more.

local host = require "support.host"

local sidebyside = { stock = "/usr/bin/lua5.4" }

local fixtures = {
  ["args.lua"] = [[
local words = {}
for k, v in pairs(arg) do words[#words + 1] = k .. "=" .. v end
table.sort(words)
print(table.concat(words, " "), "...", ...)
]],
  ["fails.lua"] = "#!/usr/bin/env lua\nprint('hi', ...)\nerror('oops')\n",
  ["syntax.lua"] = "local x = = 1\n",
  ["where.lua"] = [[
local info = debug.getinfo(1)
print(info.source, info.short_src, info.what, info.currentline)
print(debug.traceback("m"))
]],
  ["mod.lua"] = "print('loading', ...) return { name = ... }",
  ["badmod.lua"] = "return )",
  ["raises.lua"] = "error('from the module')",
  ["repl.txt"] = [[
print(1)
x = 1
x
=x
for i = 1, 2 do
print(i)
end
error("boom")
1 1
local function f()
error({})
end f()
"a", "b"
nil
return 1, 2
local t <close> = setmetatable({}, {__close = function() print("bye") end})
os.exit(5)
]],
}

function sidebyside.setup()
  local dir = os.tmpname()
  os.remove(dir)
  assert(os.execute("mkdir " .. dir))
  for name, text in pairs(fixtures) do
    local file <close> = assert(io.open(dir .. "/" .. name, "wb"))
    file:write(text)
  end
  sidebyside.dir = dir
end

function sidebyside.teardown()
  os.execute("rm -r " .. host.quote(sidebyside.dir))
end

local function absolute(path)
  if path:sub(1, 1) == "/" or not path:find("/") then
    return path
  end
  local pipe <close> = assert(io.popen("pwd"))
  return pipe:read("l") .. "/" .. path
end

local function normalise(text, program)
  text = text:gsub(program:gsub("%p", "%%%0"), "lua")
  text = text:gsub("%f[^\n\0]aioctl:", "lua:")
  text = text:gsub("usage: aioctl", "usage: lua")
  text = text:gsub("  %-%-help [^\n]*\n", "")
  text = text:gsub("0x%x+", "ADDRESS")
  return (text:gsub("skipping %d+ levels", "skipping N levels"))
end

-- run(program, command) -> { out =, err =, status = }
function sidebyside.run(program, command)
  program = absolute(program)
  local out = sidebyside.dir .. "/.out"
  local err = sidebyside.dir .. "/.err"
  local line = ("cd %s && LUA=%s timeout 20 sh -c %s >%s 2>%s </dev/null")
    :format(host.quote(sidebyside.dir), host.quote(program),
      host.quote(command), out, err)
  local _, kind, code = os.execute(line)
  return {
    out = normalise(host.read(out), program),
    err = normalise(host.read(err), program),
    status = kind == "signal" and 128 + code or code,
  }
end

function sidebyside.stock_result(command)
  return sidebyside.run(sidebyside.stock, command)
end

function sidebyside.our_result(command)
  return sidebyside.run(host.aioctl, command)
end

function sidebyside.has_stock()
  local file = io.open(sidebyside.stock, "rb")
  return file ~= nil and file:close()
end

return sidebyside
