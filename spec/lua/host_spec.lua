-- The executable as a drop-in lua: every command line below is run by stock
-- lua5.4 and by aioctl, and output, messages and exit status must be equal.

local sidebyside = require "support.sidebyside"

local groups = {}

groups["options"] = {
  [["$LUA" -v]],
  [["$LUA" -v -e 'print(1)']],
  [["$LUA" -e 'print(1)' -e 'print(2)']],
  [["$LUA" -e"print(3)"]],
  [["$LUA" -e '']],
  [["$LUA" -e]],
  [["$LUA" -e -v]],
  [["$LUA" -l]],
  [["$LUA" -x]],
  [["$LUA" -vi]],
  [["$LUA" -WE]],
  [["$LUA" -ix]],
  [["$LUA" -W]],
  [["$LUA" -E -e 'print(package.path)']],
  [["$LUA" -- args.lua -x]],
  [["$LUA" -W -e 'x = 1' args.lua a b]],
  [["$LUA" ""]],
}

groups["libraries"] = {
  [["$LUA" -l mod -e 'print(mod.name)']],
  [["$LUA" -lmod -e 'print(mod.name)']],
  [["$LUA" -l m=mod -e 'print(m.name, mod)']],
  [["$LUA" -l string -e 'print(string == require "string")']],
  [["$LUA" -l nomod]],
  [["$LUA" -l badmod]],
  [["$LUA" -l raises]],
  [["$LUA" -e 'require "no.such"']],
  [["$LUA" -e 'print(pcall(require, "badmod"))']],
  [["$LUA" -l cjson -e 'print(cjson.encode({1, 2}))']],
}

groups["arguments"] = {
  [["$LUA" args.lua]],
  [["$LUA" args.lua a 'b c' '']],
  [["$LUA" - a b <args.lua]],
  [["$LUA" -e 'print(arg[0], arg[1], arg[-1], #arg)']],
  [["$LUA" -e 'print(arg[0], arg[1])' - q]],
  [["$LUA" -e 'arg[1] = "new"' args.lua a]],
  [["$LUA" -e 'arg = nil' args.lua]],
  [["$LUA" -e 'arg = 5' args.lua a]],
  [["$LUA" -e 'print(...)']],
}

groups["scripts"] = {
  [["$LUA" fails.lua a]],
  [["$LUA" - <fails.lua]],
  [["$LUA" ./where.lua]],
  [["$LUA" <where.lua]],
  [["$LUA" -e 'dofile("where.lua")']],
  [["$LUA" syntax.lua]],
  [["$LUA" nofile.lua]],
  [["$LUA" .]],
  [["$LUA" </dev/null]],
  [["$LUA" -e 'return 5']],
  [["$LUA" -e 'goto nowhere']],
  [["$LUA" -e 'io.open("c.out", "wb"):write(string.dump(load("print(...)
    error(1)", "@c.lua"))):close()' && "$LUA" c.out x]],
  [["$LUA" -e 'io.stdout:close() print(1)']],
}

groups["the environment"] = {
  [[LUA_INIT='print("i")' "$LUA" -e 'print(1)']],
  [[LUA_INIT='print("i")' LUA_INIT_5_4='print("5.4")' "$LUA" -e 'print(1)']],
  [[LUA_INIT='print("i")' LUA_INIT_5_4='' "$LUA" -e 'print(1)']],
  [[LUA_INIT=@fails.lua "$LUA" -e 'print(1)']],
  [[LUA_INIT=@none "$LUA" -e 'print(1)']],
  [[LUA_INIT='x x' "$LUA" -v]],
  [[LUA_INIT='error("q")' "$LUA" -e 'print(1)']],
  [[LUA_INIT='error("q")' "$LUA" -E -e 'print(1)']],
  [[LUA_INIT='print(arg[0], #arg)' "$LUA" args.lua]],
  [[LUA_PATH='/q/?.lua;;' "$LUA" -e 'print(package.path)']],
  [[LUA_PATH='/q/?.lua' LUA_PATH_5_4=';;/z' "$LUA" -e 'print(package.path)']],
  [[LUA_CPATH='/q/?.so;;' "$LUA" -e 'print(package.cpath)']],
  [[LUA_CPATH='/q/?.so' "$LUA" -E -e 'print(package.cpath)']],
}

groups["errors"] = {
  [["$LUA" -e 'error("m")']],
  [["$LUA" -e 'error("m", 0)']],
  [["$LUA" -e 'error({})']],
  [["$LUA" -e 'error()']],
  [["$LUA" -e 'error(42)']],
  [["$LUA" -e 'error(true)']],
  [["$LUA" -e 'error(print)']],
  [["$LUA" -e 'error(setmetatable({}, {__tostring = function() return "T"
    end}))']],
  [["$LUA" -e 'error(setmetatable({}, {__tostring = function() return 1
    end}))']],
  [["$LUA" -e 'error(setmetatable({}, {__tostring = function() error("in")
    end}))']],
  [["$LUA" -e 'error(setmetatable({}, {__name = "My"}))']],
  [["$LUA" -e 'error("a\0b")']],
  [["$LUA" -e 'string.rep()']],
  [["$LUA" -e 'local t = {} t.x.y = 1']],
  [["$LUA" -e 'local function f() error("deep") end local function g() f() end
    g()']],
  [["$LUA" -e 'local function f(n) if n == 0 then error("x") end f(n - 1) end
    f(40)']],
  [["$LUA" -e 'local function f() f() end f()']],
  [["$LUA" -e 'string.rep("x", 1 << 40)']],
  [["$LUA" -e 'local t = setmetatable({}, {__index = function(_, k) error(k)
    end}) print(t.x)']],
  [["$LUA" -e 'coroutine.wrap(function() error("w") end)()']],
  [["$LUA" -e 'coroutine.yield(1)']],
  [["$LUA" -e 'print(coroutine.isyieldable(), select(2,
    coroutine.running()))']],
}

groups["warnings and collection"] = {
  [["$LUA" -W -e 'warn("a", "b")']],
  [["$LUA" -e 'warn("a")']],
  [["$LUA" -e 'warn("@on") warn("a") warn("@off") warn("b") warn("@x")']],
  [["$LUA" -e 'setmetatable({}, {__gc = function() print("gc") end})']],
  [["$LUA" -e 'setmetatable({}, {__gc = function() error("gc") end})']],
  [["$LUA" -W -e 'setmetatable({}, {__gc = function() error("gc") end})']],
  [["$LUA" -e 'print(collectgarbage("incremental"))']],
}

groups["leaving"] = {
  [["$LUA" -e 'os.exit(7)']],
  [["$LUA" -e 'os.exit(false)']],
  [["$LUA" -e 'os.exit(true, true)']],
  [["$LUA" -e 'os.exit("x")']],
  [["$LUA" -e 'setmetatable({}, {__gc = function() print("gc") end})
    os.exit(3)']],
  [["$LUA" -e 'setmetatable({}, {__gc = function() print("gc") end})
    os.exit(3, true)']],
  [["$LUA" -e 'local x <close> = setmetatable({}, {__close = function()
    print("close") end}) os.exit(4, true)']],
  [["$LUA" -e 'coroutine.wrap(function() os.exit(6) end)()']],
  [["$LUA" -e 'pcall(os.exit, 8) print("not here")']],
  [["$LUA" -e 'io.write("kept") os.exit(0)']],
  [[("$LUA" -e 'while true do io.write("x\n") end'; echo $? >&2) | head -n1]],
}

groups["interactive"] = {
  [["$LUA" -i <repl.txt]],
  [["$LUA" -i -e 'print(4)' <repl.txt]],
  [["$LUA" -i args.lua a </dev/null]],
  [["$LUA" -i -- args.lua -x </dev/null]],
  [["$LUA" -i -e 'error("x")' </dev/null]],
  [["$LUA" -i nofile </dev/null]],
  [[echo x | "$LUA" -e '_PROMPT = "P> " _PROMPT2 = "PP> "' -i]],
  [[echo 1 | "$LUA" -e '_PROMPT = setmetatable({}, {__tostring = function()
    return "obj" end})' -i]],
  [[echo 1 | "$LUA" -i -e 'print = nil']],
  [[echo 1 | "$LUA" -i -e 'print = function() error("p") end']],
}

local names = {}
for name in pairs(groups) do
  names[#names + 1] = name
end
table.sort(names)

describe("aioctl behaves as lua5.4 does:", function()
  lazy_setup(sidebyside.setup)
  lazy_teardown(sidebyside.teardown)

  for _, name in ipairs(names) do
    describe(name .. ":", function()
      for _, command in ipairs(groups[name]) do
        it((command:gsub("%s+", " ")), function()
          if not sidebyside.has_stock() then
            return pending("no " .. sidebyside.stock)
          end
          assert.same(sidebyside.stock_result(command),
            sidebyside.our_result(command))
        end)
      end
    end)
  end
end)
