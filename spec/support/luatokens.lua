-- luatokens - where the functions of a Lua source begin and end
--
-- A lexer that knows just enough: comments, strings, words and single
-- characters.  Blocks are matched with a stack of openers.

local luatokens = {}

-- Skips "[==[ ... ]==]" at position i; nil when there is none.
local function skip_long(text, i)
  local equals = text:match("^%[(=*)%[", i)
  if not equals then
    return nil
  end
  local _, stop = text:find("]" .. equals .. "]", i, true)
  return (stop or #text) + 1
end

local function skip_quoted(text, i)
  local quote = text:sub(i, i)
  i = i + 1
  while i <= #text do
    local c = text:sub(i, i)
    if c == "\\" then
      i = i + 1
    elseif c == quote or c == "\n" then
      return i + 1
    end
    i = i + 1
  end
  return i
end

-- Position after the comment or string at i; nil when there is none.
local function skip_inert(text, i)
  if text:sub(i, i + 1) == "--" then
    return skip_long(text, i + 2) or (text:find("\n", i, true) or #text + 1)
  end
  local c = text:sub(i, i)
  if c == '"' or c == "'" then
    return skip_quoted(text, i)
  end
  return skip_long(text, i)
end

-- tokens(text) -> list of {text=, line=}; a string is the token '""'.
function luatokens.tokens(text)
  local list, i, line = {}, 1, 1
  while i <= #text do
    local next_i = skip_inert(text, i)
    if next_i then
      if text:sub(i, i + 1) ~= "--" then
        list[#list + 1] = { text = '""', line = line }
      end
    else
      local token = text:match("^[%a_][%w_]*", i) or text:sub(i, i)
      if not token:find("^%s") then
        list[#list + 1] = { text = token, line = line }
      end
      next_i = i + #token
    end
    local _, newlines = text:sub(i, next_i - 1):gsub("\n", "")
    line = line + newlines
    i = next_i
  end
  return list
end

-- The word before the "(" of a call whose argument starts at token i:
-- describe("…", function … -> "describe".
local function callee(list, i)
  while i > 1 and list[i].text ~= "(" do
    if not list[i].text:find('^[",]') then
      return nil
    end
    i = i - 1
  end
  return i > 1 and list[i - 1].text or nil
end

local OPENERS = { ["do"] = true, ["then"] = true, ["repeat"] = true }

-- functions(text) -> list of {line=, lines=, callee=}, inner ones included.
function luatokens.functions(text)
  local list = luatokens.tokens(text)
  local stack, found = {}, {}
  for i, token in ipairs(list) do
    local word = token.text
    if word == "function" then
      stack[#stack + 1] = {
        line = token.line,
        is_function = true,
        callee = callee(list, i - 1),
      }
    elseif OPENERS[word] then
      stack[#stack + 1] = {}
    elseif word == "elseif" or word == "end" or word == "until" then
      local block = table.remove(stack)
      if block and block.is_function then
        block.lines = token.line - block.line + 1
        found[#found + 1] = block
      end
    end
  end
  return found
end

return luatokens
