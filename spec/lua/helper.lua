--- What busted loads before the specs: a leak check around every `it`.
--
-- After a spec no more descriptors, handles of the loop and tasks may be open
-- than before it.  What a spec opens it closes itself: <close>, finally(), or
-- nothing but garbage.  Descriptors that the loop makes once, when something is
-- used for the first time (its monitor, its ring, engines' notifiers), are
-- forgiven up to a small number per kind for the whole run.
--
-- Under another host than aioctl (no module aio) it does nothing.
local ok, aio = pcall(require, "aio")
if not ok then
  return
end

local busted = require "busted"
local lfs = require "lfs"

-- /proc link of a descriptor -> how many may appear in the whole run
local forgiven = {
  ["anon_inode:[eventpoll]"] = 2,
  ["anon_inode:[eventfd]"] = 4,
  ["anon_inode:[io_uring]"] = 2,
}

local PATIENCE = 20 -- rounds of 1 ms until something counts as leaked

--- What tells the file behind @link from others, also when somebody renames or
-- deletes it: the log of ctest is inherited by every spec.
local function identity(link, target)
  local stat = target:find("^/") and lfs.attributes(link)
  return stat and stat.dev .. ":" .. stat.ino or target
end

-- fd -> { target, id }
local function list_fds()
  local fds = {}
  for name in lfs.dir("/proc/self/fd") do
    local link = "/proc/self/fd/" .. name
    local target = lfs.symlinkattributes(link, "target")
    -- the descriptor of this very listing is among them
    if target and not target:find("^/proc/%d+/fd$") then
      fds[name] = { target = target, id = identity(link, target) }
    end
  end
  return fds
end

local function list_handles()
  local handles = {}
  for _, handle in ipairs(aio.handles()) do
    handles[handle.description] = (handles[handle.description] or 0) + 1
  end
  return handles
end

local function count_tasks()
  return aio.tasks and #aio.tasks() or 0
end

local function snapshot()
  return {
    fds = list_fds(),
    handles = list_handles(),
    tasks = count_tasks(),
  }
end

--- What is there now and was not in @before: a list of lines.
local function compare(before)
  local now = snapshot()
  local leaks = {}
  for fd, file in pairs(now.fds) do
    if not before.fds[fd] or before.fds[fd].id ~= file.id then
      leaks[#leaks + 1] = { kind = file.target,
        text = "fd " .. fd .. " " .. file.target }
    end
  end
  for description, count in pairs(now.handles) do
    if count > (before.handles[description] or 0) then
      leaks[#leaks + 1] = { text = description }
    end
  end
  if now.tasks > before.tasks then
    leaks[#leaks + 1] = { text = now.tasks - before.tasks .. " task(s)" }
  end
  return leaks
end

local function settle(before)
  local leaks
  for _ = 1, PATIENCE do
    collectgarbage()
    collectgarbage()
    leaks = compare(before)
    if #leaks == 0 then
      break
    end
    aio.sleep(0.001)
  end
  return leaks
end

--- Takes out of @leaks what the loop may make once.
local function forgive(leaks)
  local kept = {}
  for _, leak in ipairs(leaks) do
    local left = leak.kind and forgiven[leak.kind] or 0
    if left > 0 then
      forgiven[leak.kind] = left - 1
    else
      kept[#kept + 1] = leak.text
    end
  end
  return kept
end

local before

busted.subscribe({ "test", "start" }, function()
  collectgarbage()
  collectgarbage()
  before = snapshot()
  return nil, true
end)

busted.subscribe({ "test", "end" }, function(element, parent)
  local kept = forgive(settle(before))
  if #kept > 0 then
    local culprit = {
      descriptor = "leak check",
      name = "leak check of '" .. element.name .. "'",
      attributes = {},
      trace = element.trace,
    }
    local message = "left open: " .. table.concat(kept, "; ")
    busted.publish({ "error", "leak" }, culprit, parent, message,
      { traceback = "", message = message })
  end
  return nil, true
end)
