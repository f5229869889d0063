-- aio.report: pages that stand alone, charts that a browser draws

local html = require "aio.report.html"
local page = require "aio.lab.page"
local runs = require "aio.lab.runs"
local svg = require "aio.report.svg"

-- Raises unless every tag of the page is closed by its own, in order.
local function check_nesting(text)
  local open = {}
  text = text:gsub("<!DOCTYPE html>", ""):gsub("<style>.-</style>", "")
  for slash, name, rest in text:gmatch("<(/?)(%w+)([^>]*)>") do
    if slash == "/" then
      assert.equal(name, table.remove(open), "closed")
    elseif not rest:find("/$") and name ~= "meta" then
      open[#open + 1] = name
    end
  end
  assert.same({}, open)
end

local function row(name, cpu_ns, scale)
  local latency = {}
  for i, p in ipairs(runs.PERCENTILES) do
    latency["p" .. p] = 5000 * scale * i * i
  end
  return {
    policy = name, rounds = 3, ops_per_second = 50000, cpu_ns_per_op = cpu_ns,
    cpu_percent = 40, sleeps_per_op = 0.5, hit_percent = 10,
    latency_ns = latency,
  }
end

local ABOUT <const> = {
  workload = 'a "&" <b>.lua', rounds = 3, seconds = 1, fdmon = "epoll",
  kernel = "Linux 6",
}

local function example()
  return page.render(ABOUT, {
    row("sleep", 9000, 2), row("qemu", 12000, 1), row("<script>", 12100, 1),
  })
end

describe("aio.report", function()
  it("makes pages whose tags are nested and whose text is escaped", function()
    local text = example()
    check_nesting(text)
    assert.not_matches("<script", text)
    assert.matches("a &quot;&amp;&quot; &lt;b&gt;.lua", text, 1, true)
    assert.has_error(function() check_nesting("<p><b></p></b>") end)
  end)

  it("makes pages that need nothing from elsewhere, for both themes",
    function()
      local text = example()
      for _, word in ipairs { "://", "src=", "url(", "@import", "<link" } do
        assert.is_nil(text:find(word, 1, true), word)
      end
      assert.matches("prefers%-color%-scheme: dark", text)
      assert.matches("color%-scheme: light dark", text)
    end)

  it("draws each point inside of the picture", function()
    local text = example()
    local marks = 0
    for x, y in text:gmatch("translate%(([%d.-]+) ([%d.-]+)%)") do
      marks = marks + 1
      assert.is_true(tonumber(x) >= 0 and tonumber(x) <= 760, x)
      assert.is_true(tonumber(y) >= 0 and tonumber(y) <= 420, y)
    end
    assert.equal(3 * (1 + 3) + 3 * (1 + 6), marks)
    assert.is_nil(text:find("nan", 1, true))
    assert.is_nil(text:find("inf", 1, true))
  end)

  it("puts larger values to the right and higher up", function()
    for _, log in ipairs { false, true } do
      local axis = { label = "v", log = log, format = tostring }
      local text = svg.chart {
        description = "d", x = axis, y = axis,
        series = { {
          name = "s",
          points = { { x = 1, y = 2, title = "a" }, { x = 30, y = 9,
            title = "b" } },
        } },
      }
      local spots = {}
      for x, y in text:gmatch("translate%(([%d.]+) ([%d.]+)%)") do
        spots[#spots + 1] = { tonumber(x), tonumber(y) }
      end
      assert.equal(3, #spots) -- the first is the legend's
      assert.is_true(spots[2][1] < spots[3][1])
      assert.is_true(spots[2][2] > spots[3][2])
    end
  end)

  it("survives equal values and zeros", function()
    for _, log in ipairs { false, true } do
      local axis = { label = "v", log = log, format = tostring }
      local text = svg.chart {
        description = "d", x = axis, y = axis,
        series = { { name = "s", points = { { x = 0, y = 0, title = "" } } } },
      }
      assert.is_nil(text:find("nan", 1, true))
      check_nesting(text)
    end
    assert.equal("&lt;&amp;&gt;&quot;", html.escape('<&>"'))
  end)
end)
