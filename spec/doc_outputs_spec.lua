-- What is made of the doc comments: pages, types, manual pages, help, HTML.
--
-- That they say what the binary has is for spec/api_docs_spec.lua; here each of
-- them has to say all of it, and to be well-formed.

package.path = "cmake/?.lua;" .. package.path

local described = require "support.described"
local doc_help = require "aio.doc.help"
local host = require "support.host"
local markdown = require "doc.markdown"
local read = require "doc.read"
local syntax = require "aio.doc.syntax"

local DOC <const> = (os.getenv("AIOCTL_BUILD")
  or host.aioctl:match("^(.*)/")) .. "/doc"

-- Calls visit(name, found) for all functions, methods and fields.
local function each_name(visit)
  for _, name in ipairs(described.names) do
    if described.found[name].entry.owner then
      visit(name, described.found[name])
    end
  end
end

describe("the pages in docs", function()
  it("are up to date (else: ./dev docs)", function()
    markdown.pages(described, function(page, text)
      assert(host.read(page.path) == text, page.path .. " is out of date")
    end)
  end)

  it("have a place for each description, and one only", function()
    local places = {}
    for _, block in ipairs(described.order) do
      local name = block[1].name
      assert(not places[block], name .. " is there twice")
      places[block] = true
    end
    each_name(function(name, found)
      assert(places[found.block] or found.entry.text,
        name .. " is on no page: add its name to a list <!-- api: ... -->")
    end)
  end)

  it("use each name in an example", function()
    local code = {}
    for _, path in ipairs(host.lines("ls docs/lua-api.md docs/api/*.md")) do
      for block in host.read(path):gmatch("```lua\n(.-)\n```") do
        code[#code + 1] = block
      end
    end
    local text = table.concat(code, "\n")
    local missing = {}
    each_name(function(name)
      local plain = name:match("[%w_]+$")
      if name:sub(1, 1) ~= "#"
        and not text:find("[.:]" .. plain .. "%f[^%w_]") then
        missing[#missing + 1] = name
      end
    end)
    assert.same({}, missing)
  end)
end)

describe("the types for editors", function()
  local paths = host.lines("find " .. host.quote(DOC .. "/types")
    .. " -name '*.lua'")

  it("are Lua", function()
    assert.is_true(#paths > 5)
    for _, path in ipairs(paths) do
      assert(loadfile(path))
    end
  end)

  it("have each function with its parameters, and each field", function()
    local text = {}
    for i, path in ipairs(paths) do
      text[i] = host.read(path)
    end
    text = table.concat(text)
    each_name(function(name, found)
      local entry = found.entry
      local owner = described.owners[entry.owner]
      local class = owner.kind == "class" and owner.name or owner.word
      if entry.kind == "field" then
        assert(text:find("\n---@field " .. entry.name .. "%??%s"), name)
      elseif entry.kind == "function" then
        local params = text:match("\nfunction " .. class .. "[.:]" .. entry.name
          .. "%(([^)]*)%) end\n")
        assert(params, name)
        local count = select(2, params:gsub("[^,]+", ""))
        local most = #entry.params
        for _, other in ipairs(found.overloads) do
          most = math.max(most, #other.params)
        end
        assert.equal(most, count, name)
      end
    end)
  end)

  it("name only types that there are", function()
    local known, used = {}, {}
    for _, path in ipairs(paths) do
      for line in io.lines(path) do
        local name = line:match("^%-%-%-@class ([%w_.]+)")
          or line:match("^%-%-%-@alias ([%w_.]+)")
        local type = line:match("^%-%-%-@param %S+ (.*)$")
          or line:match("^%-%-%-@return (.*)$")
        known[name or ""] = true
        if type then
          used[#used + 1] = type:match("^[^ ]+")
        end
      end
    end
    for _, type in ipairs(used) do
      syntax.type_names(type, function(word)
        if word:find("^aio%.") or word:find("^%u") then
          assert(known[word], "unknown type " .. word)
        end
      end)
    end
  end)
end)

describe("the manual pages", function()
  local paths = host.lines("find " .. host.quote(DOC .. "/man") .. " -type f")

  it("are set without a warning", function()
    assert.is_true(#paths >= 7)
    if select(2, host.run("command -v groff")) ~= 0 then
      pending("no groff here")
    end
    for _, path in ipairs(paths) do
      assert.equal("", (host.run("groff -man -ww -Tutf8 "
        .. host.quote(path) .. " >/dev/null")), path)
    end
  end)

  it("of modules have each name", function()
    local text = {}
    for i, path in ipairs(paths) do
      text[i] = host.read(path)
    end
    text = table.concat(text):gsub("\\%-", "-")
    each_name(function(name, found)
      assert(text:find(found.entry.text and found.entry.name or name, 1, true),
        name)
    end)
  end)
end)

describe("the HTML", function()
  it("has each name", function()
    if select(2, host.run("command -v ldoc")) ~= 0 then
      pending("no ldoc here")
    end
    local folder = host.lines("mktemp -d")[1]
    finally(function() host.run("rm -r " .. host.quote(folder)) end)
    local output, status = host.run(("cp -r %s/ldoc %s && cd %s/ldoc && "
      .. "rm -rf html && ldoc -q ."):format(host.quote(DOC), host.quote(folder),
      host.quote(folder)))
    assert.equal(0, status, output)
    local pages = host.lines("ls " .. host.quote(folder)
      .. "/ldoc/html/*/*.html")
    local text, links = {}, 0
    for i, path in ipairs(pages) do
      text[i] = host.read(path)
      for link in text[i]:gmatch('href="([^"#:]+)"') do
        links = links + 1
        assert(io.open(path:match("^(.*/)") .. link), path .. ": " .. link)
          :close()
      end
    end
    assert.is_true(links > 100)
    text = table.concat(text)
    assert.is_nil(text:find("```", 1, true))
    assert.matches("<code>direct%?: boolean", text)
    each_name(function(name, found)
      if found.entry.kind == "function" then
        assert(text:find(name, 1, true), name)
      end
    end)
  end)
end)

describe("aioctl help", function()
  it("finds each name, also with its module and with a dot", function()
    each_name(function(name, found)
      local written = { name, described:full_name(name),
        (name:gsub(":", ".")) }
      for _, way in ipairs(written) do
        local text = assert(doc_help.text(described, way), way)
        assert(text:find(found.entry.text and found.entry.name
          or described:full_name(name), 1, true), way)
      end
    end)
  end)

  it("finds types and pages", function()
    assert.matches("limit of a wait", doc_help.text(described, "aio.Wait"))
    assert.matches("limit of a wait", doc_help.text(described, "wait"))
    assert.matches("OPENING AND CLOSING\n",
      doc_help.text(described, "aio.file"):upper())
  end)
end)

-- ---- the reader -----------------------------------------------------------

describe("the reader of doc comments", function()
  local function block(text)
    return read.file("x.c", "/**\n * " .. text:gsub("\n", "\n * ")
      .. "\n */\n")[1]
  end

  it("knows parameters, results and text", function()
    local b = block("f:pread(what: aio.What, sec?: fun(a: b): c|d, ...) "
      .. "->\n    string|integer!, integer? n\n\nText,\nmore.")
    local entry = b[1]
    assert.equal("Text,\nmore.", b.text)
    assert.same({ "what", "sec", "..." },
      { entry.params[1].name, entry.params[2].name, entry.params[3].name })
    assert.equal("fun(a: b): c|d", entry.params[2].type)
    assert.is_true(entry.params[2].optional)
    assert.same({ { type = "string|integer", fails = true },
      { type = "integer?", name = "n" } }, entry.returns)
  end)

  it("knows classes with fields", function()
    local b = block("class aio.X: aio.Y\n\nText.\n\na?: string[] - one\n"
      .. "    more\nb: table<string, integer>")
    assert.equal("Text.", b.text)
    assert.equal("aio.Y", b[1].base)
    assert.equal("one more", b[1].fields[1].text)
    assert.equal("table<string, integer>", b[1].fields[2].type)
  end)

  it("knows what is deprecated", function()
    assert.equal("use b:d().", block("b:c()\n\nDeprecated: use b:d().")
      .deprecated)
  end)

  it("says where a declaration is wrong", function()
    for _, wrong in ipairs { "f:x(a)", "f:x(a: )", "f:x() -> ", "f:x() - > y",
      "nonsense", "alias X = ", "class Y (", "f:x()\nprose" } do
      local ok, message = pcall(block, wrong)
      assert.is_false(ok, wrong)
      assert.matches("^x.c:1: ", message)
    end
  end)

  it("takes other comments of Lua for prose", function()
    assert.same({}, read.file("x.lua", "--- Adds (both) of them: numbers.\n"))
  end)
end)
