-- aioctl help: what it finds, what it suggests, when it uses a pager.

local host = require "support.host"

local function help(args, before)
  return host.run(("%s %s help %s"):format(before or "",
    host.quote(host.aioctl), args))
end

describe("aioctl help", function()
  it("lists commands, pages and names", function()
    local output, status = help("")
    assert.equal(0, status)
    assert.matches("\nCommands +[^\n]*copy", output)
    assert.matches("\nPages +conventions aio aio%.file", output)
    assert.matches("\naio%.file +open ", output)
    for line in output:gmatch("[^\n]+") do
      assert.is_true(#line < 80, line)
    end
  end)

  it("shows a function with its options", function()
    for _, name in ipairs { "aio.file.open", "file.open", "'file.open()'" } do
      local output, status = help(name)
      assert.equal(0, status)
      assert.matches("^aio%.file%.open%(path: string, ", output)
      assert.matches("\n    direct%?: boolean|\"try\" %- O_DIRECT", output)
    end
  end)

  it("shows a method by its name alone if only one class has it", function()
    assert.matches("^f:read_exact%(", (help("read_exact")))
    assert.matches("^Which one%? .*chan:close.*sock:close", (help("close")))
  end)

  it("shows a class with what it has", function()
    assert.matches("\nHas +.*put get try_put", (help("Chan")))
  end)

  it("shows a page", function()
    local output = help("aio.proc")
    assert.matches("^AIO.PROC\n", output)
    assert.matches("\naio%.proc%.spawn%(", output)
  end)

  it("suggests what was meant", function()
    local output, status = help("file.opne")
    assert.equal(1, status)
    assert.equal("aioctl help: nothing is called 'file.opne' (did you mean "
      .. "'file.open'?)\n", output)
    output, status = help("zzzzzz")
    assert.equal(1, status)
    assert.equal("aioctl help: nothing is called 'zzzzzz'; 'aioctl help' "
      .. "lists what there is\n", output)
  end)

  it("writes plainly, without a pager, where there is no terminal", function()
    local output = help("aio", "PAGER=false")
    assert.is_true(#output > 10000)
    assert.is_nil(output:find("\27", 1, true))
  end)

  it("uses the pager on a terminal", function()
    if select(2, host.run("command -v script")) ~= 0 then
      pending("no script(1) here to make a terminal")
    end
    local command = ("PAGER='sed s/^/paged:/' %s help chan:put"):format(
      host.quote(host.aioctl))
    local output = host.run(("TERM=xterm script -qec %s /dev/null"):format(
      host.quote(command)))
    assert.matches("^paged:\27%[1mchan:put", output)
    output = host.run(("NO_COLOR=1 script -qec %s /dev/null"):format(
      host.quote(command)))
    assert.matches("^paged:chan:put", output)
  end)
end)
