-- anywhere - a task may wait where plain coroutines cannot yield
--
-- Inside a comparator of table.sort, a callback of gsub, a metamethod, a
-- generator of one's own: waiting switches C stacks, not Lua coroutines.
--
-- Output:
--   sorted: 1 2 3 4 5
--   replaced: one-two
--   index: slow field
--   generator: a b c

local aio = require "aio"

local list = { 3, 5, 1, 4, 2 }
table.sort(list, function(a, b)
  aio.sleep(0.0001)
  return a < b
end)
print("sorted: " .. table.concat(list, " "))

print("replaced: " .. ("1-2"):gsub("%d", function(digit)
  aio.yield()
  return ({ ["1"] = "one", ["2"] = "two" })[digit]
end))

local remote = setmetatable({}, {
  __index = function(_, key)
    aio.sleep(0.001)
    return "slow " .. key
  end,
})
print("index: " .. remote.field)

local words = {}
for word in coroutine.wrap(function()
  for _, letter in ipairs { "a", "b", "c" } do
    aio.yield() -- waits for the loop
    coroutine.yield(letter) -- hands a value to the for loop
  end
end) do
  words[#words + 1] = word
end
print("generator: " .. table.concat(words, " "))
