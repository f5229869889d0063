-- Standard streams that are closed, full, or gone

local host = require "support.host"

local aioctl = host.quote(host.aioctl)

local function run(command)
  return host.run((command:gsub("AIOCTL", function() return aioctl end)))
end

describe("standard output", function()
  -- What prints to it, by the name that the message has.
  local PRINTERS <const> = {
    ["--help"] = "aioctl", ["--version"] = "aioctl", help = "aioctl help",
    info = "aioctl info", ["info --json"] = "aioctl info",
    ["copy --help"] = "aioctl copy",
    ["demo --size 4k --dir ${TMPDIR:-/tmp}"] = "aioctl demo",
  }

  for arguments, name in pairs(PRINTERS) do
    for _, where in ipairs { ">/dev/full", ">&-" } do
      it(("that cannot be written fails aioctl %s %s"):format(arguments, where),
        function()
          local output, status = run(("(AIOCTL %s) 2>&1 %s"):format(arguments,
            where))
          assert.equal(1, status, output)
          assert.matches(name .. ": cannot write to standard output: ", output,
            1, true)
          assert.not_matches("traceback", output)
        end)
    end
  end

  it("that nobody reads any more ends a command by the signal", function()
    local output = run "bash -c 'AIOCTL info | true; echo ${PIPESTATUS[0]}'"
    assert.is_true(output == "141\n" or output == "0\n", output)
  end)

  it("is the script's own affair in a script, as in lua", function()
    local _, status = run "AIOCTL -e 'print(1)' >/dev/full"
    assert.equal(0, status)
  end)
end)

describe("a stream that is closed at the start", function()
  it("does not become the next file that is opened", function()
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    run(("AIOCTL -e 'f = io.open(%q, \"w\") print(\"astray\")' >&- 2>&-")
      :format(path))
    assert.equal("", host.read(path))
    local output, status = run("AIOCTL -l aio -e 'f = aio.file.open("
      .. "\"/dev/null\") print(f.fd)' <&-")
    assert.equal(0, status, output)
    assert.is_true(tonumber(output) > 2, output)
  end)

  it("is an error to read", function()
    assert.equal("nil\tBad file descriptor\t9\n",
      (run "AIOCTL -l aio -e 'print(io.read())' <&-"))
  end)
end)
