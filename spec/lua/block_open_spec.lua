-- aio.block: nodes from a line of text or a table

local aio = require "aio"
local block = require "aio.block"
local support = require "support.block"
local E = aio.errno
local assert_fails = support.fails

describe("block.open", function()
  it("takes text, tables and nodes", function()
    local a = assert(block.open "mem:1M?name=a")
    local b = assert(block.open { "offset", a, start = "512k" })
    local node <close> = assert(block.open {
      "delay", { "fault", b, ops = "flush" }, read = 0,
    })
    assert.equal(524288, node.size)
    assert.is_true(node:pwrite("x", 0))
    assert.equal("x", a:pread(1, 524288))
    assert_fails(E.EIO, "node 'fault'", node:flush())
  end)

  it("reads brackets, options and escapes", function()
    local node <close> = assert(block.open
      "linear:[offset:[mem:1M]?start=1k&length=4k],mem:8k?name=a%26b")
    assert.equal(12288, node.size)
    assert.equal("a&b", node.name)
  end)

  it("says what is wrong, and leaves nothing open", function()
    for description, reason in pairs {
      ["memm:1"] = "unknown kind 'memm', did you mean 'mem'?",
      ["mem:"] = "size expected, as in mem:256M",
      ["mem:1x"] = "a size (4096, 64k, 1M, 2G) expected, got '1x'",
      ["mem:1M?foo=1"] = "unknown option 'foo' (one of name, size)",
      ["mem:1M?name=a&name=b"] = "option 'name' is given twice",
      ["delay:mem:1M,mem:1M"] = "1 child expected, got 2",
      ["cow:mem:1M"] = "2 children expected, got 1, as in cow:base.img",
      ["delay:[mem:1M]?read=soon"] = "a duration (10ms",
      ["offset:[mem:1M]?start=2M"] = "reach beyond the end",
      ["linear:mem:1M,mem:x"] = "got 'x'",
      ["fault:[mem:1M]?errno=EWHAT"] = "unknown errno 'EWHAT'",
      ["delay:[mem:1M"] = "the brackets of 'delay:[mem:1M' do not match",
      ["delay:mem:1M]["] = "do not match",
      ["none/such.img"] = "none/such.img",
    } do
      local node, message, errno = block.open(description)
      assert.is_nil(node)
      assert.truthy(message:find(reason, 1, true), message)
      assert.is_number(errno)
    end
    support.raises("a description (string, table or node) expected", block.open,
      1)
  end)

  it("knows each kind that block.kinds() lists, with an example", function()
    for _, name in ipairs(block.kinds()) do
      local kind = require("aio.block.kind." .. name)
      assert.equal(name, kind.example:match("^%a+"))
    end
  end)
end)
