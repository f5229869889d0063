-- stats - medians and the verdict on a goal

local stats = {}

-- quantile(list, q): linear between the neighbours; list is not changed.
function stats.quantile(list, q)
  local sorted = table.move(list, 1, #list, 1, {})
  table.sort(sorted)
  local at = 1 + q * (#sorted - 1)
  local low = math.floor(at)
  local high = math.min(low + 1, #sorted)
  return sorted[low] + (at - low) * (sorted[high] - sorted[low])
end

function stats.median(list)
  return stats.quantile(list, 0.5)
end

-- verdict(ratios, goal): goal is ">=0.95" or "<=0.5", or nil for no goal.
-- SHORT only if the median and the better quartile miss it: one bad round is
-- the machine's, not the program's.
function stats.verdict(ratios, goal)
  if not goal then
    return "-"
  end
  local sign, bound = goal:match("^([<>]=)([%d.]+)$")
  bound = assert(tonumber(bound), "a goal is '>=x' or '<=x'")
  local median = stats.median(ratios)
  if sign == ">=" then
    local best = stats.quantile(ratios, 0.75)
    return (median >= bound or best >= bound) and "ok" or "SHORT"
  end
  local best = stats.quantile(ratios, 0.25)
  return (median <= bound or best <= bound) and "ok" or "SHORT"
end

return stats
