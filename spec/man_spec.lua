-- aioctl.1 knows every option, command and variable that --help lists, and its
-- examples run.

local host = require "support.host"

local PATH <const> = (os.getenv("AIOCTL_BUILD")
  or host.aioctl:match("^(.*)/")) .. "/doc/man/man1/aioctl.1"
local page = host.read(PATH):gsub("\\%-", "-"):gsub("\\\n", "")

local function help()
  local text, status = host.run(host.quote(host.aioctl) .. " --help=all")
  assert.equal(0, status)
  return text
end

local function missing(pattern)
  local list, found = {}, 0
  for word in help():gmatch(pattern) do
    found = found + 1
    if not page:find(word, 1, true) then
      list[#list + 1] = word
    end
  end
  assert.is_true(found > 2)
  return list
end

describe("the manual page", function()
  it("names every option", function()
    assert.same({}, missing("\n  (%-%-?%a[%w-]*)"))
  end)

  it("names every variable", function()
    assert.same({}, missing("(AIOCTL_[%u_]+)"))
  end)

  it("names every command", function()
    local names = help():match("\nCommands[^\n]*\n([^\n]+)")
    for name in names:gmatch("%S+") do
      assert.matches("\n.B " .. name:gsub("%-", "%%-") .. "%f[%W]", page)
    end
  end)

  it("has a script that runs", function()
    local script = page:match("%-e '\n(.-)'\n")
    local folder = host.lines("mktemp -d")[1]
    finally(function()
      host.run("rm -r " .. host.quote(folder))
    end)
    local output, status = host.run(("cd %s && head -c 1M /dev/zero >disk.img "
      .. "&& %s -l aio -l file=aio.file -e %s"):format(host.quote(folder),
      host.quote(host.aioctl), host.quote(script)))
    assert.equal(0, status, output)
    assert.matches("n=100 ", output)
  end)
end)
