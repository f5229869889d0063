-- docs/semantics.md names a test for each promise: they all exist.

local host = require "support.host"

local PAGE = "docs/semantics.md"

-- references(line) -> list of {file=, name=} of one row: a file in backquotes
-- with a colon after it, then names in backquotes, each for the last file.
local function references(line)
  local list, file = {}, nil
  local tests = line:match("|([^|]*)|%s*$") or ""
  for text, after in tests:gmatch("`([^`]+)`(:?)") do
    if after == ":" then
      file = text
    else
      list[#list + 1] = { file = file, name = text }
    end
  end
  return list
end

-- rows(text) -> list of {promise=, tests=} of all its tables
local function rows(text)
  local list = {}
  for line in text:gmatch("[^\n]+") do
    local promise = line:match("^| ([^|]+) |")
    if promise and promise ~= "promise" and not promise:find("^%-+$") then
      list[#list + 1] = { promise = promise, tests = references(line) }
    end
  end
  return list
end

-- Is the test called so defined in a file's text?
local function defines(text, name)
  local plain = name:gsub("%p", "%%%0")
  return text:find("%f[%w_][A-Z_]+%(%s*" .. plain .. "%)") ~= nil
    or text:find('it("' .. name .. '"', 1, true) ~= nil
end

local function read_spec(file)
  local folder = file:find("_test%.c$") and "spec/core/" or "spec/"
  return host.read(folder .. file)
end

describe("the page of promises", function()
  it("names for each promise tests that exist", function()
    local all = rows(host.read(PAGE))
    assert.is_true(#all > 40)
    local missing = {}
    for _, row in ipairs(all) do
      assert(#row.tests > 0, "no test for: " .. row.promise)
      for _, test in ipairs(row.tests) do
        assert(test.file, "a test without a file: " .. test.name)
        if not defines(read_spec(test.file), test.name) then
          missing[#missing + 1] = test.file .. ": " .. test.name
        end
      end
    end
    assert.same({}, missing)
  end)

  it("is read as it is meant", function()
    local list = rows("| promise | tests |\n| --- | --- |\n"
      .. "| It `works`. | `a_test.c`: `one`, `two`; `b_spec.lua`: `c d` |\n")
    assert.same({ {
      promise = "It `works`.",
      tests = {
        { file = "a_test.c", name = "one" },
        { file = "a_test.c", name = "two" },
        { file = "b_spec.lua", name = "c d" },
      },
    } }, list)
    assert.is_true(defines("EVERYWHERE(one)\n", "one"))
    assert.is_true(defines("TEST(\n    one)\n", "one"))
    assert.is_true(defines('  it("c d", function()', "c d"))
    assert.is_false(defines("EVERYWHERE(one_more)\n", "one"))
    assert.is_false(defines("one(two)", "two"))
  end)
end)
