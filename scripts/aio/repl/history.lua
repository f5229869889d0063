-- aio.repl.history - what was typed before, across sessions
--
-- A text file, one line each, appended to at once: two prompts at a time lose
-- nothing, nor does a crash.  $AIOCTL_HISTORY names it (empty: none), otherwise
-- it is aioctl/history in $XDG_STATE_HOME or ~/.local/state.

local aio = require "aio"
local file = require "aio.file"

local KEPT <const> = 1000  -- lines that a session starts with
local BYTES <const> = 1 << 20 -- a longer file is cut to KEPT lines

local History = {}
History.__index = History

local function default_path()
  local home = os.getenv "HOME"
  local state = os.getenv "XDG_STATE_HOME"
  if not state or state:sub(1, 1) ~= "/" then
    state = home and home ~= "" and home .. "/.local/state"
  end
  return state and state .. "/aioctl/history"
end

local function make_folders(path)
  local at = 1
  while true do
    at = path:find("/", at + 1, true)
    if not at then
      return true
    end
    local ok, message, code = file.mkdir(path:sub(1, at - 1), 448) -- 0700
    if not ok and code ~= aio.errno.EEXIST then
      return nil, message
    end
  end
end

local function last_lines(path)
  local lines = {}
  local input = io.open(path)
  if not input then
    return lines, 0
  end
  for line in input:lines() do
    lines[#lines + 1] = line
  end
  local bytes = input:seek "end" or 0
  input:close()
  local from = math.max(1, #lines - KEPT + 1)
  return table.move(lines, from, #lines, 1, {}), bytes
end

-- Replaces the file by @lines, wholly or not at all.
local function rewrite(path, lines)
  local output = io.open(path .. ".new", "w")
  if output and output:write(table.concat(lines, "\n"), "\n") and
    output:close() then
    os.rename(path .. ".new", path)
  end
end

-- A file for its owner's eyes, each line written at once; nil: none can be had.
local function append_to(path)
  local new = file.open(path, "a", { perm = 384 }) -- 0600
  if not new then
    return nil
  end
  new:close()
  local output = io.open(path, "a")
  if output then
    output:setvbuf("line")
  end
  return output
end

-- open(editor): fills the editor with what earlier sessions left.
function History.open(editor)
  local self = setmetatable({ editor = editor }, History)
  local path = os.getenv "AIOCTL_HISTORY" or default_path()
  if not path or path == "" then
    return self
  end
  local lines, bytes = last_lines(path)
  for _, line in ipairs(lines) do
    editor:remember(line)
  end
  self.last = lines[#lines]
  if bytes > BYTES then
    rewrite(path, lines)
  end
  self.output = make_folders(path) and append_to(path) or nil
  return self
end

-- add(line): for the arrow keys and for later sessions.
function History:add(line)
  self.editor:remember(line)
  if line == self.last then
    return
  end
  self.last = line
  if self.output then
    self.output:write(line, "\n")
  end
end

return History
