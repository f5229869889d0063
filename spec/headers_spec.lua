-- The public headers are whole, and the shared library exports what they
-- declare and nothing else.

local host = require "support.host"
local tidy = require "support.tidy"

local build = os.getenv("AIOCTL_BUILD") or host.aioctl:match("^(.*)/[^/]*$")
local INCLUDE = "src/core/include"

local function exists(program)
  local _, status = host.run("command -v " .. program)
  return status == 0
end

local function headers()
  local list = {}
  local output = host.run(("cd %s && find . -name '*.h' | sort")
    :format(INCLUDE))
  for name in output:gmatch("%./(%S+)") do
    list[#list + 1] = name
  end
  return list
end

local COMPILERS = {
  { "C11", "cc -x c -std=c11 -Wall -Wextra -Wno-unused-parameter" },
  { "C++17", "c++ -x c++ -std=c++17 -Wall" },
}

-- One compilation for all, each header in a unit of its own.
local function complaints(command)
  local all = {}
  for _, header in ipairs(headers()) do
    local line = ('echo \'#include "%s"\' | %s -Werror -fsyntax-only -I%s -')
      :format(header, command, INCLUDE)
    local output, status = host.run(line, 60)
    if status ~= 0 then
      all[#all + 1] = header .. ":\n" .. output
    end
  end
  return table.concat(all)
end

-- The set of identifiers in the headers outside of comments, and of those
-- that are static inline functions.
local function declared()
  local words, inlines = {}, {}
  for _, header in ipairs(headers()) do
    local text = tidy.strip_c(host.read(INCLUDE .. "/" .. header))
    for word in text:gmatch("[%a_][%w_]*") do
      words[word] = true
    end
    for name in text:gmatch("static inline [^(]-([%w_]+)%(") do
      inlines[name] = true
    end
  end
  return words, inlines
end

-- Names of the functions that the headers declare without defining them.
local function prototypes()
  local set = {}
  for _, header in ipairs(headers()) do
    local text = tidy.strip_c(host.read(INCLUDE .. "/" .. header))
    text = ("\n" .. text):gsub("\\\n", " "):gsub("\n%s*#[^\n]*", "\n")
    text = text:gsub("\n{.-\n}", ";") -- bodies of inline functions
    for before, name, after in text:gmatch(
      "\n(%a[%w_ %*\n]-)([%w_]+)%b()([^;{]*);") do
      if not before:find("%f[%w]static%f[%W]")
        and not before:find("%f[%w]typedef%f[%W]") and not after:find("=") then
        set[name] = true
      end
    end
  end
  return set
end

local function exported()
  local set = {}
  local output = host.run(("nm -D --defined-only %s/libaioctl.so"):format(
    host.quote(build)))
  for name in output:gmatch("%x+ %a ([%w_]+)") do
    set[name] = true
  end
  return set
end

-- What the C tests of signatures speak of.
local function functions_of_the_api()
  local list = {}
  for _, file in ipairs { "signatures", "signatures_companions" } do
    local text = host.read(("spec/core/%s_test.c"):format(file))
    for name in text:gmatch("FUNCTION%([^,]+,%s*([%w_]+)") do
      list[#list + 1] = name
    end
  end
  return list
end

describe("public headers", function()
  for _, compiler in ipairs(COMPILERS) do
    local language, command = compiler[1], compiler[2]
    it("compile alone as " .. language, function()
      if not exists(command:match("%S+")) then
        pending("no compiler for " .. language)
        return
      end
      assert.is_true(#headers() > 20)
      assert.are.equal("", complaints(command))
    end)
  end
end)

describe("libaioctl.so", function()
  it("exports only names that the public headers declare", function()
    local words = declared()
    local strangers = {}
    for name in pairs(exported()) do
      if not words[name] then
        strangers[#strangers + 1] = name
      end
    end
    table.sort(strangers)
    assert.are.same({}, strangers)
  end)

  it("exports every function that the public headers declare", function()
    local set, missing, found = exported(), {}, 0
    for name in pairs(prototypes()) do
      found = found + 1
      if not set[name] then
        missing[#missing + 1] = name
      end
    end
    table.sort(missing)
    assert.is_true(found > 300)
    assert.are.same({}, missing)
  end)

  it("exports every function of the API", function()
    local _, inlines = declared()
    local names, set, missing = functions_of_the_api(), exported(), {}
    assert.is_true(#names > 250)
    for _, name in ipairs(names) do
      if not set[name] and not inlines[name] then
        missing[#missing + 1] = name
      end
    end
    assert.are.same({}, missing)
  end)
end)
