-- aioctl demo: the tour, JSON, and what goes wrong

local host = require "support.host"

local folder

local function demo(arguments)
  return host.run(("cd %s && %s demo %s"):format(folder,
    host.quote(host.aioctl), arguments), 60)
end

describe("aioctl demo", function()
  before_each(function()
    folder = host.run("mktemp -d"):gsub("\n", "")
  end)

  after_each(function()
    assert.equal("", (host.run("ls -A " .. folder))) -- it leaves nothing
    host.run("rmdir " .. folder)
  end)

  it("copies with each engine, in 80 columns", function()
    local output, status = demo "--size 2M"
    assert.equal(0, status, output)
    for _, engine in ipairs { "io_uring", "linux_aio", "threads" } do
      assert.matches("\n" .. engine .. "[ :]", output)
    end
    assert.matches("checksum correct", output)
    assert.not_matches("WRONG", output)
    for line in output:gmatch("[^\n]+") do
      assert.is_true(#line <= 80, line)
    end
  end)

  it("has the same as JSON", function()
    local output, status = demo "--size 1M --json"
    assert.equal(0, status, output)
    local json = assert(require "dkjson".decode(output))
    assert.equal((1 << 20) + 777, json.bytes)
    assert.equal(3, #json.engines)
    for _, engine in ipairs(json.engines) do
      assert.is_true(engine.correct or engine.why ~= nil)
      assert.is_true(not engine.correct or engine.seconds > 0)
    end
  end)

  it("says what is wrong with its folder, and removes what it made", function()
    local output, status = demo "--dir none --size 1M"
    assert.equal(1, status)
    assert.matches("aioctl demo: ENOENT: .*none/aioctl%-demo", output)
    assert.not_matches("traceback", output)
    output, status = host.run(("cd %s && ulimit -f 256; %s demo --size 1M")
      :format(folder, host.quote(host.aioctl)))
    assert.equal(1, status)
    assert.matches("aioctl demo: EFBIG", output)
  end)
end)
