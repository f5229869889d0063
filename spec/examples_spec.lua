-- Every example runs as its header says: same output, exit status 0.

local expect = require "support.expect"
local host = require "support.host"

-- The lines "--   text" after "-- Output:" in the header comment.
local function documented_output(text)
  local lines = {}
  local block = text:match("\n%-%- Output:\n(.-)\n\n")
  for line in ((block or "") .. "\n"):gmatch("(.-)\n") do
    lines[#lines + 1] = line:match("^%-%-   (.*)$")
  end
  return table.concat(lines, "\n")
end

describe("example", function()
  local examples = host.lines("ls examples/*.lua")

  it("files exist", function()
    assert.is_true(#examples >= 5)
  end)

  for _, path in ipairs(examples) do
    it(path .. " prints what its header says", function()
      local expected = documented_output(host.read(path))
      assert(expected ~= "", "the header has no Output:")
      local output, status = host.run(
        host.quote(host.aioctl) .. " " .. path, 20)
      assert(expect.output(expected, output))
      assert.equal(0, status)
    end)

    it(path .. " has at most 60 lines", function()
      local _, lines = host.read(path):gsub("\n", "")
      assert.is_true(lines <= 60)
    end)
  end
end)

describe("expected output", function()
  it("matches itself", function()
    assert.is_true(expect.output("a\nb (1+1)", "a\nb (1+1)\n"))
  end)

  it("lets N stand for a figure only", function()
    assert.is_true(expect.output("took N ms", "took 12.5 ms\n"))
    assert.is_false((expect.output("took N ms", "took long ms\n")))
    assert.is_false((expect.output("NaN", "17\n")))
  end)

  it("lets ... stand for any lines", function()
    assert.is_true(expect.output("a\n...\nd", "a\nb\nc\nd\n"))
    assert.is_true(expect.output("a\n...", "a\n"))
    assert.is_false((expect.output("a\n...\nd", "a\nb\nc\n")))
  end)

  it("refuses lines too few and too many", function()
    assert.is_false((expect.output("a\nb", "a\n")))
    assert.is_false((expect.output("a", "a\nb\n")))
  end)
end)
