-- timing - how the Lua programs here measure, whatever Lua runs them
--
--   local timing = dofile(here .. "timing.lua")
--   timing(amount, clock, run [, user])
--
-- @run(n) does at least n operations and returns how many, and (optionally)
-- how long they took, when not all of its time counts.  @clock returns
-- nanoseconds, @user the user time of the process.  @amount is milliseconds,
-- as in the programs of bench/c: the number of operations doubles until a run
-- is long enough, the fastest of the runs of that length counts.  "x1000" is
-- one run of 1000 operations, for who counts instructions.
--
-- Prints {"ns": per operation, "user": user time per operation, "ops": count}.

return function(amount, clock, run, user)
  user = user or function() return 0 end
  local exactly = tonumber(amount:match("^x(%d+)$"))
  if exactly then
    print(('{"ops": %d}'):format(run(exactly)))
    return
  end
  local n, best, ops = 64, math.huge, 0
  local spent, total = 0, tonumber(amount) * 1e6
  local user_spent, user_ops = 0, 0
  while spent < total do
    local start, user_start = clock(), user()
    local done, ns = run(n)
    local lasted = clock() - start
    ns = ns or lasted
    spent = spent + lasted
    if lasted < total / 16 and spent < total then
      n = n * 2
    else
      user_spent = user_spent + user() - user_start
      user_ops = user_ops + done
      if ns / done < best then
        best, ops = ns / done, done
      end
    end
  end
  print(('{"ns": %.3f, "user": %.3f, "ops": %d}'):format(best,
    user_spent / user_ops, ops))
end
