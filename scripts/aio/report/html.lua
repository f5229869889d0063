--- aio.report.html - a page of results in one file.
--
-- Nothing on it comes from elsewhere: styles and pictures (aio.report.svg) are
-- in the page. It follows the reader's choice of a light or a dark theme.
local html = {}

local ESCAPES <const> =
  { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }

--- Text as it must stand in a page, also inside of an attribute.
function html.escape(text)
  return (tostring(text):gsub('[&<>"]', ESCAPES))
end

-- Colours that differ for colour-blind readers too, by theme.
local STYLE <const> = [[
:root { color-scheme: light dark; --bg: #ffffff; --fg: #1c2128;
  --dim: #57606a; --line: #d0d7de; --c1: #0067b8; --c2: #c2410c;
  --c3: #0f766e; --c4: #9d3bb5; --c5: #8a6d00; --c6: #b4235a; }
@media (prefers-color-scheme: dark) { :root { --bg: #14181d; --fg: #e6e9ee;
  --dim: #9aa4b0; --line: #353d47; --c1: #62b0f2; --c2: #f59563;
  --c3: #4fc4b6; --c4: #d08be4; --c5: #dcb84a; --c6: #f27da6; } }
body { background: var(--bg); color: var(--fg); margin: 2rem auto;
  max-width: 52rem; padding: 0 1rem; line-height: 1.45;
  font-family: system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin-top: 2rem; }
p.note { color: var(--dim); }
div.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .55rem; text-align: right;
  border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--dim); font-weight: 600; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
svg { width: 100%; min-width: 36rem; height: auto; font-family: inherit; }
svg text { fill: var(--fg); font-size: 13px; }
svg .dim { fill: var(--dim); }
svg .label { fill: var(--dim); stroke: var(--bg); stroke-width: 4px;
  paint-order: stroke; }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .axis { stroke: var(--dim); stroke-width: 1; }
svg .curve { fill: none; stroke-width: 2; }
]]

--- A table. headings: list; rows: list of lists of text or numbers.
function html.table(headings, rows)
  local function row(tag, cells)
    local out = {}
    for i, cell in ipairs(cells) do
      out[i] = ("<%s>%s</%s>"):format(tag, html.escape(cell), tag)
    end
    return "<tr>" .. table.concat(out) .. "</tr>"
  end
  local lines = { '<div class="wide"><table>', row("th", headings) }
  for _, cells in ipairs(rows) do
    lines[#lines + 1] = row("td", cells)
  end
  lines[#lines + 1] = "</table></div>"
  return table.concat(lines, "\n")
end

function html.heading(text)
  return "<h2>" .. html.escape(text) .. "</h2>"
end

function html.note(text)
  return '<p class="note">' .. html.escape(text) .. "</p>"
end

--- The page. title: text; parts: list of what the functions above and those of
-- aio.report.svg return.
function html.page(title, parts)
  return table.concat({
    "<!DOCTYPE html>", '<html lang="en">', "<head>",
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    "<title>" .. html.escape(title) .. "</title>",
    "<style>", STYLE .. "</style>", "</head>", "<body>",
    "<h1>" .. html.escape(title) .. "</h1>",
    table.concat(parts, "\n"), "</body>", "</html>", "",
  }, "\n")
end

return html
