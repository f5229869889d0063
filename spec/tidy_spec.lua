-- House rules, checked on every tracked file; and checks that each rule bites.

local tidy = require "support.tidy"

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

local function exists(path)
  local file = io.open(path, "rb")
  return file ~= nil and file:close()
end

-- Tracked and new files; without git (not installed, or a release archive) all
-- but build/.
local function each_file()
  local pipe = assert(io.popen(
    "git ls-files -co --exclude-standard 2>/dev/null || "
      .. "find . '(' -path ./build -o -path ./.git ')' -prune -o "
      .. "-type f -print | cut -c3-"))
  local paths = {}
  for path in pipe:lines() do
    if exists(path) then
      paths[#paths + 1] = path
    end
  end
  pipe:close()
  return paths
end

-- Commands of a Markdown text: lines of its fenced sh and console blocks.
local function commands(text)
  local list = {}
  for kind, block in text:gmatch("\n```(%a+)\n(.-)\n```") do
    if kind == "sh" or kind == "console" then
      for line in (block .. "\n"):gmatch("(.-)\n") do
        local command = kind == "sh" and line or line:match("^%$ (.*)")
        if command and command ~= "" then
          list[#list + 1] = command
        end
      end
    end
  end
  return list
end

-- nil when the command is one of ours that exists; else what is wrong.
local function wrong_command(command, dev, has_script)
  local verb = command:match("^%./dev (%a+)")
  if verb and not dev:find("\ncmd_" .. verb .. "%(%)") then
    return "./dev has no verb " .. verb
  end
  local name = command:match("^[%w_/.-]*aioctl (%l[%w_./-]*)")
  if name and name:find("%.lua$") then
    return nil
  end
  if name and not has_script("scripts/" .. name .. ".lua") then
    return "aioctl has no command " .. name
  end
  return nil
end

describe("house rules", function()
  local files = each_file()

  it("are kept by every file", function()
    local found = {}
    for _, path in ipairs(files) do
      for _, message in ipairs(tidy.check(path, read(path))) do
        found[#found + 1] = message
      end
    end
    assert(#found == 0, "\n" .. table.concat(found, "\n"))
  end)

  it("see a tree that is not empty", function()
    assert.is_true(#files > 20)
  end)

  it("let the documents name only commands that exist", function()
    local dev = read("dev")
    local found = {}
    for _, path in ipairs(files) do
      if path:find("%.md$") then
        for _, command in ipairs(commands(read(path))) do
          local wrong = wrong_command(command, dev, exists)
          found[#found + 1] = wrong and path .. ": " .. wrong
        end
      end
    end
    assert(#found == 0, "\n" .. table.concat(found, "\n"))
  end)

  it("let the documents link only to files that exist", function()
    local found = {}
    for _, path in ipairs(files) do
      local folder = path:match("^(.*/)") or ""
      local text = path:find("%.md$") and read(path) or ""
      for target in text:gmatch("%]%(([^)#]+)") do
        if not target:find("^%a+:") and not exists(folder .. target) then
          found[#found + 1] = path .. ": no file " .. target
        end
      end
    end
    assert(#found == 0, "\n" .. table.concat(found, "\n"))
  end)

  it("let README open with the commands of a first visit", function()
    local list = commands(read("README.md"))
    assert.matches("^%./dev run", list[1])
    assert.matches("^%./dev test", list[2])
  end)
end)

-- Each row: rule, path, a text it must refuse, a text it must accept.
local LONG = ("    x();\n"):rep(60)
local FIXTURES = {
  { "file_length", "a.lua", ("x()\n"):rep(451), ("x()\n"):rep(450) },
  { "file_length", "a.c", ("/* x */\n"):rep(451),
    ("/**\n * f:x()\n */\n"):rep(151) },
  { "file_length", "a.lua", ("-- x\n"):rep(451),
    ("--- f:x()\n-- x\n\n"):rep(226) },
  { "columns", "a.c", ("x"):rep(81) .. "\n", ("\u{e9}"):rep(80) .. "\n" },
  { "columns", "dev", ("x"):rep(81) .. "\n", ("x"):rep(80) .. "\n" },
  { "white_space", "a.md", "x \n", "x\n" },
  { "white_space", "a.c", "\tx;\n", "x;\n" },
  { "white_space", "a.lua", "x()", "x()\n" },
  { "header_comment", "src/a.c", "int x;\n", "/*\n * a.c - an x\n */\n" },
  { "header_comment", "src/a.c", "/*\n * b.c - an x\n */\n",
    "/*\n * src/a.c - an x\n */\n" },
  { "header_comment", "a.lua", "local x\n", "#!/bin/lua\n-- an x\n" },
  { "header_comment", "a.cmake", "set(x)\n", "# sets x\nset(x)\n" },
  { "c_function_length", "a.c", "int f(void)\n{\n" .. LONG .. "}\n",
    "int f(void)\n{\n" .. LONG:sub(1, -19) .. "}\n" },
  { "lua_function_length", "a.lua",
    "local function f()\n" .. LONG .. "end\n",
    "describe('f', function()\n" .. LONG .. "end)\n" },
  { "lua_function_length", "a_spec.lua",
    "it('f', function()\n" .. LONG .. "end)\n",
    "f(function() if x then y() elseif z then w() end end)\n" .. LONG },
  { "include_direction", "src/core/base/a.c", '#include "loop/bh.h"\n',
    '#include "base/check.h"\n' },
  { "include_direction", "src/core/loop/a.c", "#include <lua.h>\n",
    '#include "coro/pool.h"\n' },
  { "include_direction", "src/core/include/block/a.h",
    '#include "loop/context.h"\n', '#include "qemu/queue.h"\n' },
  { "public_headers", "src/core/include/block/a.h", "\nint f(void);\n",
    "\n#ifndef A_H\n#define A_H\nAIOCTL_BEGIN_DECLS\nint f(void);\n" },
  { "public_headers", "src/core/include/block/a.h",
    "\n#ifndef A_H\n#define A_H\nint f(void);\n",
    "\n#ifndef A_H\n#define A_H\n#define F() \\\n  f(); g();\n" },
  { "core_bans", "src/core/loop/a.c", 'fprintf(stderr, "x");\n',
    'snprintf(s, n, "printf(x)"); /* stderr */\n' },
  { "core_bans", "src/core/loop/a.c", "clock_gettime(0, &t);\n",
    "clock_now();\n" },
  { "unfinished", "a.md", "TO" .. "DO: more\n", "TODOS\n" },
  { "machine_paths", "a.c", 'open("/' .. 'root/x")\n', '"/etc/x"\n' },
  { "machine_paths", "a.md", "/" .. "work/x\n", "src/work/x\n" },
}

describe("the rule", function()
  for _, fixture in ipairs(FIXTURES) do
    local rule, path, bad, good = table.unpack(fixture)
    it(rule .. " tells bad from good in " .. path, function()
      assert.is_true(#tidy.check(path, bad, rule) > 0)
      assert.same({}, tidy.check(path, good, rule))
    end)
  end

  it("set has a fixture for each of its members", function()
    local covered = {}
    for _, fixture in ipairs(FIXTURES) do
      covered[fixture[1]] = true
    end
    for name in pairs(tidy.rules) do
      assert(covered[name], "no fixture for the rule " .. name)
    end
  end)

  it("about commands finds a verb and a script that are missing", function()
    local dev = "\ncmd_run() {\n"
    local function has(path)
      return path == "scripts/copy.lua"
    end
    assert.is_nil(wrong_command("./dev run", dev, has))
    assert.is_nil(wrong_command("build/release/aioctl copy a b", dev, has))
    assert.is_nil(wrong_command("aioctl x.lua", dev, has))
    assert.is_string(wrong_command("./dev fly", dev, has))
    assert.is_string(wrong_command("aioctl fly a b", dev, has))
  end)

  it("about commands reads sh and console blocks", function()
    assert.same({ "./dev run", "ls" }, commands(
      "x\n```sh\n./dev run\n```\ny\n```console\n$ ls\na\n```\n"))
  end)
end)
