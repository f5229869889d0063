-- The documents show real output: each of their code blocks is run.
--
-- In a ```console block every line "$ command" is a shell command and the lines
-- up to the next one are its output, where N stands for any figure and "..."
-- for any lines (see support.expect).  A ```lua block after a comment line
-- <!-- file: NAME --> is written to NAME first, so that commands may use it;
-- any other is a script with the modules aio, file and sync loaded, whose
-- comments "--> text" are what it prints.  All run in a folder of their own,
-- with aioctl in PATH.  A block right after <!-- not run: REASON --> is only
-- looked at by people, and one of another kind must say so; of a block after
-- <!-- figures vary --> only the words are compared.

local expect = require "support.expect"
local host = require "support.host"

local function add_console(list, lines, vary)
  for _, line in ipairs(lines) do
    local command = line:match("^%$ (.*)")
    if command then
      list[#list + 1] = { command = command, output = {}, vary = vary }
    else
      table.insert(list[#list].output, line)
    end
  end
end

local function add_script(list, lines, vary)
  local output = {}
  for _, line in ipairs(lines) do
    output[#output + 1] = line:match("%-%->%s?(.*)$")
  end
  list[#list + 1] = { file = "block.lua", text = table.concat(lines, "\n") }
  list[#list + 1] = {
    command = "aioctl -l aio -l file=aio.file -l sync=aio.sync block.lua",
    output = output, vary = vary,
  }
end

local function add_block(list, kind, lines, before)
  local name = before:match("^<!%-%- file: (%S+) %-%->$")
  local vary = before == "<!-- figures vary -->" or nil
  if before:find("^<!%-%- not run: %S") then
    return
  elseif name then
    list[#list + 1] = { file = name, text = table.concat(lines, "\n") }
  elseif kind == "console" then
    add_console(list, lines, vary)
  elseif kind == "lua" then
    add_script(list, lines, vary)
  else
    error(("a block of %s that nobody runs:\n%s"):format(
      kind ~= "" and kind or "plain text", table.concat(lines, "\n")), 0)
  end
end

-- steps(text) -> list of {file=, text=} and {command=, output=}
local function steps(text)
  local list, before, open, lines = {}, "", nil, nil
  for line in (text .. "\n"):gmatch("(.-)\n") do
    if open and line == "```" then
      add_block(list, open, lines, before)
      open, before = nil, ""
    elseif open then
      lines[#lines + 1] = line
    elseif line:find("^```") then
      open, lines = line:match("^```(%a*)"), {}
    elseif line ~= "" then
      before = line
    end
  end
  return list
end

local function in_folder(folder, command)
  local bin = host.aioctl:match("^(.*)/[^/]*$") or "."
  return ("cd %s && PATH=%s:$PATH && %s"):format(host.quote(folder),
    host.quote(bin), command)
end

local function run_step(folder, step)
  if step.file then
    local file = assert(io.open(folder .. "/" .. step.file, "w"))
    file:write(step.text, "\n")
    file:close()
    return
  end
  local output = host.run(in_folder(folder, step.command), 60)
  local compare = step.vary and expect.shape or expect.output
  local same, why = compare(table.concat(step.output, "\n"), output)
  assert(same, "$ " .. step.command .. "\n" .. tostring(why))
end

describe("document", function()
  local documents = host.lines("ls README.md CONTRIBUTING.md docs/*.md " ..
    "docs/api/*.md docs/guide/*.md")
  local ran = 0

  for _, path in ipairs(documents) do
    it(path .. " shows real output", function()
      local folder = host.lines("mktemp -d")[1]
      finally(function()
        host.run("rm -r " .. host.quote(folder))
      end)
      for _, step in ipairs(steps(host.read(path))) do
        run_step(folder, step)
        ran = ran + 1
      end
    end)
  end

  it("blocks were found at all", function()
    assert.is_true(ran >= 3)
  end)
end)

describe("the reader of documents", function()
  it("finds files and commands with their output", function()
    assert.same({
      { file = "a.lua", text = "print(1)" },
      { command = "aioctl a.lua", output = { "1" } },
      { command = "true", output = {} },
    }, steps("x\n<!-- file: a.lua -->\n```lua\nprint(1)\n```\n"
      .. "```console\n$ aioctl a.lua\n1\n$ true\n```\n"))
  end)

  it("knows where figures vary", function()
    local step = steps("<!-- figures vary -->\n```console\n$ x\n1.5 ms\n```\n")
    assert.is_true(step[1].vary)
    assert.is_true(expect.shape("took 1.5 ms", "took 12 us\n"))
    assert.is_false((expect.shape("took 1.5 ms", "lost 12 us\n")))
  end)

  it("takes two spaces for a tab, and not for one space", function()
    assert.is_true(expect.output("a  b", "a\tb\n"))
    assert.is_false((expect.output("a b", "a\tb\n")))
  end)

  it("makes scripts of other Lua, with what they print", function()
    local list = steps("```lua\nprint(1) --> 1\nprint(2) -->2\n```\n")
    assert.same({ "1", "2" }, list[2].output)
    assert.matches("^aioctl .* block.lua$", list[2].command)
  end)

  it("passes over what is marked as not run, and over nothing else", function()
    assert.same({}, steps("<!-- not run: needs root -->\n```console\n$ x\n"
      .. "```\n"))
    assert.has_error(function() steps("```sh\nfalse\n```\n") end)
  end)
end)
