-- The page of aioctl policy-lab in a browser: all of it fits, is drawn and can
-- be read, on a narrow and a wide screen, in both themes, without the network.

local browser = require "support.browser"
local host = require "support.host"

local folder, page

local POLICIES <const> = "default,sleep,qemu,latency_target,busy"

setup(function()
  folder = host.run("mktemp -d"):gsub("\n", "")
  page = folder .. "/lab.html"
  local output, status = host.run(("%s policy-lab examples/lab/wakeup.lua "
    .. "--rounds 1 --seconds 50ms --policies %s --html %s"):format(
    host.quote(host.aioctl), POLICIES, page))
  assert(status == 0, output)
end)

teardown(function()
  host.run("rm -rf " .. host.quote(folder))
end)

local function check_chart(chart, width)
  assert.is_true(chart.width > 0.8 * math.min(width, 832), "chart's width")
  assert.is_true(chart.width >= 570, "its letters are too small to be read")
  assert.is_true(chart.height > 0.5 * chart.width, "chart's height")
  assert.is_true(chart.marks > 5 and chart.texts > 10)
  assert.same({}, chart.outside)
  assert.same({}, chart.covered)
  assert.is_true(chart.contrast >= 4.5, "contrast of text in a chart")
  assert.is_true(chart.colours >= 3, "contrast of marks")
end

describe("the page of policy-lab", function()
  for _, theme in ipairs { "light", "dark" } do
    it("fits and can be read in the " .. theme .. " theme", function()
      if browser.missing() then
        return pending(browser.missing())
      end
      local found = browser.measure(folder, host.read(page), theme,
        { 360, 1200 })
      assert.equal(2, #found)
      for _, at in ipairs(found) do
        assert.equal(theme == "dark", at.dark)
        assert.is_true(at.scroll <= at.width, "it scrolls sideways")
        assert.equal(6, at.rows)
        assert.same({}, at.requests)
        assert.is_true(at.contrast >= 4.5, "contrast of text")
        assert.equal(2, #at.charts)
        for _, chart in ipairs(at.charts) do
          check_chart(chart, at.width)
        end
      end
    end)

    it("is drawn in the " .. theme .. " theme", function()
      if browser.missing() then
        return pending(browser.missing())
      end
      browser.run(folder, ("--blink-settings=preferredColorScheme=%d "
        .. "--window-size=900,1400 --screenshot=%s/%s.png"):format(
        theme == "dark" and 0 or 1, folder, theme), page)
      local png = host.read(("%s/%s.png"):format(folder, theme))
      local width, height = (">I4I4"):unpack(png, 17)
      assert.same({ 900, 1400 }, { width, height })
      assert.is_true(#png > 30000) -- an empty page takes less than 10 KB
      if os.getenv "AIOCTL_KEEP_PICTURES" then
        host.run(("cp %s/%s.png %s"):format(folder, theme,
          host.quote(os.getenv "AIOCTL_KEEP_PICTURES")))
      end
    end)
  end

  it("would be found at fault", function() -- the measuring measures
    if browser.missing() then
      return pending(browser.missing())
    end
    local found = browser.measure(folder, [[<!DOCTYPE html><body
      style="background: #fff; color: #999"><p>pale</p>
      <div style="width: 900px">wide</div><img src="http://127.0.0.1:1/x.png">
      <svg viewBox="0 0 100 100" width="100"><text x="90" y="50">outside</text>
      <text x="10" y="20">one</text><text x="12" y="22">two</text>
      <path fill="#eee" d="M0 0L9 9"/></svg>]], "light", { 360 })[1]
    assert.is_true(found.scroll > found.width)
    assert.is_true(found.contrast < 4.5)
    assert.equal(1, #found.requests)
    assert.same({ "outside" }, found.charts[1].outside)
    assert.same({ "two" }, found.charts[1].covered)
    assert.is_true(found.charts[1].colours < 3)
  end)
end)
