-- The documents show real output: each console block is run and compared.
--
-- In a ```console block every line "$ command" is a shell command and the lines
-- up to the next one are its output, where N stands for any figure and "..."
-- for any lines (see support.expect).  A ```lua block after a comment line
-- <!-- file: NAME --> is written to NAME first, so that commands may use it.
-- Commands run in a folder of their own, with aioctl in PATH; a block right
-- after <!-- not run: REASON --> is only looked at by people, and of one after
-- <!-- figures vary --> only the words are compared.

local expect = require "support.expect"
local host = require "support.host"

-- steps(text) -> list of {file=, text=} and {command=, output=}
local function steps(text)
  local list, before, open, lines = {}, "", nil, nil
  local function close_block()
    local name = before:match("^<!%-%- file: (%S+) %-%->$")
    if name then
      list[#list + 1] = { file = name, text = table.concat(lines, "\n") }
    elseif open == "console" and not before:find("^<!%-%- not run: %S") then
      for _, line in ipairs(lines) do
        local command = line:match("^%$ (.*)")
        if command then
          list[#list + 1] = { command = command, output = {},
            vary = before == "<!-- figures vary -->" or nil }
        else
          table.insert(list[#list].output, line)
        end
      end
    end
  end
  for line in (text .. "\n"):gmatch("(.-)\n") do
    if open and line == "```" then
      close_block()
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
  local documents = host.lines("ls README.md CONTRIBUTING.md docs/*.md")
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

  it("passes over what is marked as not run, and plain blocks", function()
    assert.same({}, steps("<!-- not run: needs root -->\n```console\n$ x\n"
      .. "```\n```sh\nfalse\n```\n"))
  end)
end)
