-- browser - pages as headless Chromium shows them

local host = require "support.host"

local browser = {}

-- Why there is none here, or nil.
function browser.missing()
  return select(2, host.run "command -v chromium") ~= 0 and
    "no chromium (Debian: apt install chromium)" or nil
end

-- Nothing but the page: no service of the browser's own asks the network.
local QUIET <const> = "--headless --no-sandbox --disable-gpu --no-first-run "
  .. "--disable-background-networking --disable-sync --disable-quic "
  .. "--disable-component-update --disable-default-apps --hide-scrollbars "

-- run(folder, options, page) -> what it printed. folder: for its own files.
function browser.run(folder, options, page)
  local output, status = host.run(("chromium %s --user-data-dir=%s/user "
    .. "%s %s 2>%s/errors"):format(QUIET, folder, options,
    host.quote("file://" .. page), folder), 60)
  assert(status == 0, output .. host.read(folder .. "/errors"))
  return output
end

-- The page in a frame of each width, with a script that measures it there: the
-- page itself stays as it is.
local FRAME <const> = [[
<!DOCTYPE html><meta charset="utf-8"><body style="margin:0">
%s<pre id="found"></pre><script>
function rgb(text) { return text.match(/[\d.]+/g).slice(0, 3).map(Number); }
function luminance(colour) {
  const [r, g, b] = rgb(colour).map(v => (v /= 255) <= 0.03928 ? v / 12.92 :
    ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function contrast(a, b) {
  const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p);
  return (x + 0.05) / (y + 0.05);
}
function overlap(a, b) {
  return Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3;
}
function chart(svg, style, ground) {
  const box = svg.getBoundingClientRect();
  const texts = [...svg.querySelectorAll("text")];
  const boxes = texts.map(t => t.getBoundingClientRect());
  const marks = [...svg.querySelectorAll("path[fill]")];
  return { width: box.width, height: box.height, texts: texts.length,
    marks: marks.length, outside: texts.filter((t, i) =>
      boxes[i].left < box.left - 1 || boxes[i].right > box.right + 1 ||
      boxes[i].top < box.top - 1 || boxes[i].bottom > box.bottom + 1)
      .map(t => t.textContent),
    covered: texts.filter((t, i) => boxes.some((b, k) => k < i &&
      overlap(b, boxes[i]))).map(t => t.textContent),
    contrast: Math.min(...texts.map(t => contrast(style(t).fill, ground))),
    colours: Math.min(...marks.map(m => contrast(style(m).fill, ground))) };
}
function measure(frame) {
  const win = frame.contentWindow, doc = frame.contentDocument;
  const style = e => win.getComputedStyle(e), root = doc.documentElement;
  const ground = style(doc.body).backgroundColor;
  return { width: frame.clientWidth, scroll: root.scrollWidth,
    dark: luminance(ground) < 0.2, rows: doc.querySelectorAll("tr").length,
    requests: win.performance.getEntriesByType("resource").map(r => r.name),
    contrast: Math.min(...[...doc.querySelectorAll("h1,h2,p,th,td")]
      .map(e => contrast(style(e).color, ground))),
    charts: [...doc.querySelectorAll("svg")].map(s => chart(s, style, ground))
  };
}
onload = () => {
  const all = [...document.querySelectorAll("iframe")].map(measure);
  document.getElementById("found").textContent = JSON.stringify(all);
};
</script>]]

local ESCAPES <const> = { ["&"] = "&amp;", ['"'] = "&quot;" }
local PLAIN <const> = { amp = "&", lt = "<", gt = ">" }

-- measure(folder, text of a page, theme, widths) -> list of what was found.
function browser.measure(folder, text, theme, widths)
  local frames = {}
  for i, width in ipairs(widths) do
    frames[i] = ('<iframe style="border:0;width:%dpx;height:1500px" '
      .. 'srcdoc="%s"></iframe>'):format(width,
      (text:gsub('[&"]', ESCAPES)))
  end
  local path = folder .. "/frames.html"
  local file = assert(io.open(path, "w"))
  file:write((FRAME:gsub("%%s", function() return table.concat(frames) end)))
  file:close()
  local dom = browser.run(folder, ("--blink-settings=preferredColorScheme=%d "
    .. "--window-size=1300,1600 --dump-dom"):format(theme == "dark" and 0 or 1),
    path)
  local json = assert(dom:match('<pre id="found">(.-)</pre>'), dom)
  return assert(require "dkjson".decode((json:gsub("&(%a+);", PLAIN))))
end

return browser
