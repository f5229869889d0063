--- aio.cli.suggest - "did you mean": the nearest of a few known words.
local suggest = {}

-- Levenshtein distance with one row.
local function distance(a, b)
  local row = {}
  for j = 0, #b do
    row[j] = j
  end
  for i = 1, #a do
    local diagonal = row[0]
    row[0] = i
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      local best = math.min(row[j] + 1, row[j - 1] + 1, diagonal + cost)
      diagonal, row[j] = row[j], best
    end
  end
  return row[#b]
end

--- The word nearest to `text`, or nil when none is near.
function suggest.nearest(text, words)
  local best, best_distance
  for _, word in ipairs(words) do
    local d = distance(text:lower(), word)
    if word:sub(1, #text) == text and text ~= "" then
      d = 1
    end
    if not best_distance or d < best_distance then
      best, best_distance = word, d
    end
  end
  if best and best_distance <= math.max(1, #best // 3) then
    return best
  end
  return nil
end

return suggest
