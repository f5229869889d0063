-- docs/c-api.md has a row for each function and macro of the public headers, in
-- the section of a header that has it, and no others; docs/from-qemu.md has a
-- port that works.
--
-- The first cell of a row names what it is about, each name in code quotes; a
-- trailing * stands for all macros that begin so.

local host = require "support.host"
local tidy = require "support.tidy"

local build = os.getenv("AIOCTL_BUILD") or host.aioctl:match("^(.*)/[^/]*$")
local INCLUDE <const> = "src/core/include/"
local THREADS <const> = { "any", "signal", "home", "coroutine", "main",
  "owner", "as ", "one at a time", "who has", "a reader", "a visitor",
  "under the", "the one that waits", "the same", "the coroutine that has it",
  "as the lock", "as those" }
local BLOCKS <const> = { "no", "parks", "yes" }

-- ---- the headers ----------------------------------------------------------

local HEADERS <const> = host.lines(("cd %s && find . -name '*.h' | sort")
  :format(INCLUDE))

local function set_of(text, pattern, set)
  for name in text:gmatch(pattern) do
    set[name] = true
  end
  return set
end

-- What a header has for its users: exported functions and variables it
-- declares, inline functions, macros.  Names ending in _ are its own business,
-- and so are include guards.
local function header_names(path, exported)
  local text = tidy.strip_c(host.read(INCLUDE .. path))
  local names, words = {}, set_of(text, "[%a_][%w_]*", {})
  for name in pairs(exported) do
    names[name] = words[name]
  end
  set_of(text, "static inline [^;{]-([%w_]+)%(", names)
  for name in text:gmatch("\n%s*#%s*define ([%w_]+)") do
    if not name:find("_H$") and not name:find("_$")
      and not name:find("BODY_$") then
      names[name] = true
    end
  end
  return names
end

local function exported_names()
  return set_of(host.run(("nm -D --defined-only %s/libaioctl.so"):format(
    host.quote(build))), "%x+ %u ([%w_]+)", {})
end

-- ---- the page -------------------------------------------------------------

local function cells(line)
  local list = {}
  for cell in line:gsub("^| ", ""):gmatch("(.-) ?|%s*") do
    list[#list + 1] = cell
  end
  return list
end

local function is_row(line)
  return line:find("^| `") ~= nil
end

-- rows(text) -> list of {header=, names=, threads=, blocks=}
local function rows(text)
  local list, header = {}, nil
  for line in text:gmatch("[^\n]+") do
    header = line:match("^### `([%w_/.-]+)`") or header
    if is_row(line) then
      local row = cells(line)
      list[#list + 1] = {
        header = header, names = set_of(row[1], "`([%w_*]+)`", {}),
        what = row[2], threads = row[3], blocks = row[4], count = #row,
        line = line,
      }
    end
  end
  return list
end

local function begins_with_one_of(text, words)
  for _, word in ipairs(words) do
    if text and text:sub(1, #word) == word then
      return true
    end
  end
  return false
end

local page = rows(host.read("docs/c-api.md"))

-- header -> set of names and patterns on the page
local function by_header()
  local sections = {}
  for _, row in ipairs(page) do
    local section = sections[row.header] or {}
    sections[row.header] = section
    for name in pairs(row.names) do
      section[name] = true
    end
  end
  return sections
end

local function covered(name, section)
  if section[name] then
    return true
  end
  for pattern in pairs(section) do
    local stem = pattern:match("^(.*)%*$")
    if stem and name:sub(1, #stem) == stem then
      return true
    end
  end
  return false
end

local function covers_something(pattern, names)
  for name in pairs(names) do
    if covered(name, { [pattern] = true }) then
      return true
    end
  end
  return false
end

local function sorted(set)
  local list = {}
  for name in pairs(set) do
    list[#list + 1] = name
  end
  table.sort(list)
  return list
end

-- compare() -> names that no section of a header which has them covers, names
-- that stand in the section of a header which has them not
local function compare()
  local exported, sections = exported_names(), by_header()
  local missing, known, strange = {}, {}, {}
  for _, path in ipairs(HEADERS) do
    local header = path:gsub("^%./", "")
    local names = header_names(header, exported)
    local section = sections[header] or {}
    for name in pairs(names) do
      local set = covered(name, section) and known or missing
      set[name] = true
    end
    for name in pairs(section) do
      strange[header .. ": " .. name] = not covers_something(name, names)
        or nil
    end
  end
  for name in pairs(known) do
    missing[name] = nil
  end
  return sorted(missing), sorted(strange)
end

describe("the page of the C API", function()
  it("has every function and macro in the section of a header", function()
    assert.is_true(#page > 150)
    assert.same({}, (compare()))
  end)

  it("names none that a header does not have", function()
    local _, strange = compare()
    assert.same({}, strange)
  end)

  it("has every exported name", function()
    local all, missing = {}, {}
    for _, section in pairs(by_header()) do
      for name in pairs(section) do
        all[name] = true
      end
    end
    for name in pairs(exported_names()) do
      if not all[name] then
        missing[#missing + 1] = name
      end
    end
    assert.same({}, missing)
  end)

  it("says of each what it does, who calls it, and if it blocks", function()
    for _, row in ipairs(page) do
      assert.equal(5, row.count, row.line)
      assert.is_true(row.what ~= "", row.line)
      assert.is_true(begins_with_one_of(row.threads, THREADS), row.line)
      assert.is_true(begins_with_one_of(row.blocks, BLOCKS), row.line)
    end
  end)

  it("is read as it is meant", function()
    local row = rows("### `a/b.h`: c\n| `x`, `y_*` | does | any | no | |\n")[1]
    assert.same({ x = true, ["y_*"] = true }, row.names)
    assert.same({ "a/b.h", "does", "any", "no", 5 }, { row.header, row.what,
      row.threads, row.blocks, row.count })
  end)
end)

describe("the port in docs/from-qemu.md", function()
  local text = host.read("docs/from-qemu.md")
  local program = text:match("<!%-%- file: port.c %-%->\n```c\n(.-)\n```")
  local expected = text:match("port.c[^\n]*\n%$ %./port\n(.-)\n```")

  it("compiles and prints what the page says", function()
    local dir = host.lines("mktemp -d")[1]
    finally(function()
      host.run("rm -r " .. host.quote(dir))
    end)
    local file = assert(io.open(dir .. "/port.c", "w"))
    file:write(program, "\n")
    file:close()
    local output, status = host.run(("cc -std=gnu11 -Wall -Wextra -Werror "
      .. "-D_GNU_SOURCE -I%s -o %s/port %s/port.c -L%s -laioctl "
      .. "-Wl,-rpath,%s && %s/port"):format(INCLUDE, dir, dir,
      host.quote(build), host.quote(build), dir), 60)
    assert.equal(expected .. "\n", output)
    assert.equal(0, status)
  end)
end)
