-- parts - a group made of parts, each a file groups/GROUP_PART.lua
return function(group, names, env, rows)
  rows = rows or {}
  for _, name in ipairs(names) do
    local more = require(("groups.%s_%s"):format(group, name))(env)
    table.move(more, 1, #more, #rows + 1, rows)
  end
  return rows
end
