-- cases - rows that compare one case of a C program with one of another

local cases = {}

-- row(env, name, ours, peer, goal) -> an experiment; @ours and @peer are
-- {program, case, prefix of the command}, @goal is for their nanoseconds.
function cases.row(env, name, ours, peer, goal)
  return {
    name = name,
    ours = env.case(ours[1], ours[2], ours[3]),
    peer = env.case(peer[1], peer[2], peer[3]),
    metrics = { { key = "ns", unit = "ns", goal = goal } },
  }
end

return cases
