--- aio.lab.policies - the policies that a user names.
--
--   default             none: the loop as it is
--   qemu, busy, sleep   of aio.policy
--   latency_target      also latency_target=99: the percentile
--   ./mine.lua          a file that returns a policy
local aio = require "aio"
local suggest = require "aio.cli.suggest"

local policies = {}

local NAMES <const> = { "default", "sleep", "qemu", "latency_target", "busy" }

local function from_file(path)
  local chunk, message = loadfile(path)
  if not chunk then
    return nil, message
  end
  local ok, policy = pcall(chunk)
  if not ok then
    return nil, tostring(policy)
  elseif type(policy) ~= "table" then
    return nil, ("%s returns a %s, not a policy (a table for ctx:policy)")
      :format(path, type(policy))
  end
  return { name = policy.name or path, policy = policy }
end

--- name -> { name =, policy = table or nil }; or nil and a message.
function policies.find(name)
  if name:find("%.lua$") then
    return from_file(name)
  elseif name == "default" then
    return { name = name }
  end
  local word, value = name:match("^([%w_]+)=(.+)$")
  local policy = aio.policy[word or name]
  if type(policy) == "table" and not word then
    return { name = name, policy = policy }
  elseif type(policy) == "function" then
    local ok, made = pcall(policy, { percentile = tonumber(value or 90) })
    if ok and (not value or tonumber(value)) then
      return { name = name, policy = made }
    end
    return nil, ("'%s': the percentile must be above 0 and up to 100")
      :format(name)
  end
  local near = suggest.nearest(name, NAMES)
  return nil, ("no policy '%s'\n%sThere are %s, and files ending in .lua.")
    :format(name, near and ("Did you mean '%s'?\n"):format(near) or "",
    table.concat(NAMES, ", "))
end

--- "a,b,c" -> list of names, each of which find() knows; or nil and a message.
function policies.parse(text)
  local list = {}
  for name in text:gmatch("[^,]+") do
    local found, message = policies.find(name)
    if not found then
      return nil, message
    end
    list[#list + 1] = name
  end
  if #list == 0 then
    return nil, "no policy is named"
  end
  return list
end

return policies
