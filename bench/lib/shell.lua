-- shell - runs commands for the benchmarks and reads the JSON they print

local cjson = require "cjson"

local shell = {}

function shell.quote(word)
  word = tostring(word)
  if word:find("^[%w_./:=,@%%+-]+$") then
    return word
  end
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

-- command{"fio", "--x"} -> one shell line
function shell.command(words)
  local quoted = {}
  for i, word in ipairs(words) do
    quoted[i] = shell.quote(word)
  end
  return table.concat(quoted, " ")
end

-- output(words [, seconds]) -> what the command wrote; raises if it failed or
-- took longer than the deadline.
function shell.output(words, seconds)
  local line = "timeout " .. (seconds or 120) .. " " .. shell.command(words)
  local pipe = assert(io.popen(line .. " </dev/null", "r"))
  local text = pipe:read("a")
  local ok, kind, code = pipe:close()
  if not ok then
    error(("%s: %s %d"):format(line, kind, code), 0)
  end
  return text
end

-- json(words [, seconds]) -> the decoded object the command printed
function shell.json(words, seconds)
  local text = shell.output(words, seconds)
  local ok, value = pcall(cjson.decode, text:match("{.*}"))
  if not ok then
    error(shell.command(words) .. ": no JSON in: " .. text, 0)
  end
  return value
end

function shell.has(program)
  local found = io.popen("command -v " .. shell.quote(program))
  local path = found:read("l")
  found:close()
  return path ~= nil
end

function shell.exists(path)
  local file = io.open(path, "rb")
  return file ~= nil and file:close()
end

return shell
