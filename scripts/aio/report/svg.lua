--- aio.report.svg - line and scatter charts as inline SVG.
--
-- A series is told by its colour, by the shape of its marks and by its name at
-- the legend. Colours are those of the page (aio.report.html).
local html = require "aio.report.html"

local svg = {}

local WIDTH <const>, HEIGHT <const> = 760, 420
local LEFT <const>, RIGHT <const>, TOP <const>, BOTTOM <const> = 78, 20, 46, 54
local COLOURS <const> = 6
local RADIUS <const> = 4.5

-- ---- scales ----------------------------------------------------------------

local function extent(series, key)
  local low, high = math.huge, -math.huge
  for _, s in ipairs(series) do
    for _, point in ipairs(s.points) do
      low, high = math.min(low, point[key]), math.max(high, point[key])
    end
  end
  return low, high
end

-- Powers of ten and what lies between, from low to high.
local function log_ticks(low, high)
  local ticks = {}
  local decades = math.log(high / low, 10)
  local steps = decades > 3 and { 1 } or decades > 1.5 and { 1, 3 }
    or decades > 0.6 and { 1, 2, 5 } or { 1, 1.5, 2, 3, 4, 5, 6, 8 }
  for power = math.floor(math.log(low, 10)), math.ceil(math.log(high, 10)) do
    for _, step in ipairs(steps) do
      local value = step * 10.0 ^ power
      if value >= low * 0.999 and value <= high * 1.001 then
        ticks[#ticks + 1] = value
      end
    end
  end
  return ticks
end

local function linear_step(span)
  local raw = span / 6
  local power = 10.0 ^ math.floor(math.log(raw, 10))
  for _, step in ipairs { 1, 2, 5, 10 } do
    if raw <= step * power then
      return step * power
    end
  end
end

local function log_scale(low, high)
  low = math.max(low, 1e-9)
  high = math.max(high, low * 2)
  low, high = low / 1.3, high * 1.3
  local span = math.log(high / low)
  return {
    ticks = log_ticks(low, high),
    at = function(value)
      return math.log(math.max(value, low) / low) / span
    end,
  }
end

local function linear_scale(low, high)
  low = math.min(low, 0)
  high = high > low and high or low + 1
  local step = linear_step(high - low)
  high = math.ceil(high / step - 1e-9) * step
  local ticks = {}
  for i = 0, math.floor((high - low) / step + 1e-9) do
    ticks[#ticks + 1] = low + i * step
  end
  return {
    ticks = ticks,
    at = function(value) return (value - low) / (high - low) end,
  }
end

local function scale(axis, series, key)
  local low, high = extent(series, key)
  local made = (axis.log and log_scale or linear_scale)(low, high)
  made.ticks = axis.ticks or made.ticks
  return made
end

-- ---- drawing ---------------------------------------------------------------

local function text(x, y, anchor, class, words)
  return ('<text x="%.1f" y="%.1f" text-anchor="%s"%s>%s</text>'):format(
    x, y, anchor, class and ' class="' .. class .. '"' or "",
    html.escape(words))
end

local function line(class, x1, y1, x2, y2)
  return ('<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>'):format(
    class, x1, y1, x2, y2)
end

-- The outline of mark number @i around the origin.
local function mark_path(i)
  local r = RADIUS
  local square = r * 0.9
  local shapes = {
    ("M%g 0A%g %g 0 1 0 %g 0A%g %g 0 1 0 %g 0Z"):format(-r, r, r, r, r, r, -r),
    ("M%g %gH%gV%gH%gZ"):format(-square, -square, square, square, -square),
    ("M0 %gL%g %gH%gZ"):format(-r * 1.2, r * 1.1, r, -r * 1.1),
    ("M0 %gL%g 0L0 %gL%g 0Z"):format(-r * 1.3, r * 1.3, r * 1.3, -r * 1.3),
    ("M0 %gL%g %gH%gZ"):format(r * 1.2, r * 1.1, -r, -r * 1.1),
  }
  return shapes[(i - 1) % #shapes + 1]
end

local function colour(i)
  return ("var(--c%d)"):format((i - 1) % COLOURS + 1)
end

local function mark(i, x, y, title)
  return ('<path d="%s" transform="translate(%.1f %.1f)" fill="%s">'
    .. "<title>%s</title></path>"):format(mark_path(i), x, y, colour(i),
    html.escape(title))
end

local function grid(out, chart, x_scale, y_scale, place)
  local format_x, format_y = chart.x.format, chart.y.format
  local right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
  for _, tick in ipairs(y_scale.ticks) do
    local _, y = place(0, y_scale.at(tick))
    out[#out + 1] = line("grid", LEFT, y, right, y)
    out[#out + 1] = text(LEFT - 8, y + 4, "end", "dim", format_y(tick))
  end
  for _, tick in ipairs(x_scale.ticks) do
    local x = place(x_scale.at(tick), 0)
    out[#out + 1] = line("axis", x, bottom, x, bottom + 5)
    out[#out + 1] = text(x, bottom + 20, "middle", "dim", format_x(tick))
  end
  out[#out + 1] = line("axis", LEFT, bottom, right, bottom)
  out[#out + 1] = text((LEFT + right) / 2, HEIGHT - 12, "middle", nil,
    chart.x.label)
  out[#out + 1] = text(6, 18, "start", nil, chart.y.label)
end

-- Names in a row below the label of the y axis.
local function legend(out, series)
  local x = LEFT
  for i, s in ipairs(series) do
    out[#out + 1] = mark(i, x + 5, 33, s.name)
    out[#out + 1] = text(x + 15, 37, "start", nil, s.name)
    x = x + 42 + 7 * #s.name
  end
end

-- Where a label would stand: right of its mark, or else left of it.
local SIDES <const> = { { 9, "start", 0 }, { -9, "end", -30 } }
local LABEL_WIDTH <const>, LABEL_HEIGHT <const> = 30, 13

local function is_free(taken, x, y)
  for _, spot in ipairs(taken) do
    if math.abs(spot[2] - y) < LABEL_HEIGHT and spot[1] > x - LABEL_WIDTH
      and spot[1] < x + LABEL_WIDTH then
      return false
    end
  end
  return true
end

-- The labels for which there is room: one that would cover another label or a
-- mark is left out, its mark still tells when pointed at.
local function draw_labels(out, series, place)
  local taken, wanted = {}, {}
  for _, s in ipairs(series) do
    for _, point in ipairs(s.points) do
      local x, y = place(point)
      taken[#taken + 1] = { x, y }
      if point.label then
        wanted[#wanted + 1] = { x, y, point.label }
      end
    end
  end
  for _, label in ipairs(wanted) do
    local x, y = label[1], label[2]
    for _, side in ipairs(SIDES) do
      local left = x + side[1] + side[3]
      if is_free(taken, left + (side[3] == 0 and 22 or 0), y)
        and left > LEFT then
        out[#out + 1] = text(x + side[1], y + 4, side[2], "label", label[3])
        taken[#taken + 1] = { left + LABEL_WIDTH / 2, y }
        break
      end
    end
  end
end

local function draw_series(out, i, s, place)
  local path = {}
  for n, point in ipairs(s.points) do
    local x, y = place(point)
    path[n] = ("%s%.1f %.1f"):format(n == 1 and "M" or "L", x, y)
  end
  out[#out + 1] = ('<path class="curve" stroke="%s" d="%s"/>'):format(colour(i),
    table.concat(path))
  for _, point in ipairs(s.points) do
    local x, y = place(point)
    out[#out + 1] = mark(i, x, y, s.name .. ": " .. point.title)
  end
end

--- A chart of series = { { name =, points = { { x =, y =, title =, label = } },
-- ... }; x and y = { label =, format = function(value), log =, ticks = }.
-- description: what a reader who does not see it should know.
function svg.chart(chart)
  local x_scale = scale(chart.x, chart.series, "x")
  local y_scale = scale(chart.y, chart.series, "y")
  local function place(x, y)
    return LEFT + x * (WIDTH - LEFT - RIGHT),
      HEIGHT - BOTTOM - y * (HEIGHT - TOP - BOTTOM)
  end
  local out = {
    '<div class="wide">',
    ('<svg viewBox="0 0 %d %d" role="img" aria-label="%s">'):format(WIDTH,
      HEIGHT, html.escape(chart.description)),
  }
  grid(out, chart, x_scale, y_scale, place)
  legend(out, chart.series)
  local function at(point)
    return place(x_scale.at(point.x), y_scale.at(point.y))
  end
  for i, s in ipairs(chart.series) do
    draw_series(out, i, s, at)
  end
  draw_labels(out, chart.series, at)
  out[#out + 1] = "</svg></div>"
  return table.concat(out, "\n")
end

return svg
