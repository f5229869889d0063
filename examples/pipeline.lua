-- pipeline - three stages joined by channels
--
-- A full channel makes its producer wait, so the slowest stage sets the pace
-- and nothing piles up.  Closing a channel ends the loop of its consumer.
--
-- Output:
--   1 squared is 1
--   2 squared is 4
--   3 squared is 9
--   4 squared is 16
--   5 squared is 25
--   sum 55

local aio = require "aio"
local sync = require "aio.sync"

local numbers, squares = sync.chan(2), sync.chan(2)
local sum = 0

aio.group(function(g)
  g:spawn(function()
    for i = 1, 5 do
      numbers:put(i)
    end
    numbers:close()
  end)
  g:spawn(function()
    for n in numbers:iter() do
      aio.sleep(0.001) -- pretend to work
      squares:put({ n = n, square = n * n })
    end
    squares:close()
  end)
  g:spawn(function()
    for result in squares:iter() do
      print(result.n .. " squared is " .. result.square)
      sum = sum + result.square
    end
  end)
end)

print("sum " .. sum)
