--- doc.commands - manual pages of the commands: man1/aioctl-copy.1 and so on.
local man = require "doc.man"
local shared = require "aio.commands.shared"

local commands = {}

local function option_name(option)
  local short = option.short and ("\\-%s, "):format(option.short) or ""
  return short .. man.escape("--" .. option.name)
end

-- "[--depth N] ... SRC DST"
local function synopsis(command)
  local out = { ".B " .. man.escape("aioctl " .. command.name) }
  for _, option in ipairs(shared.options_of(command)) do
    out[#out + 1] = (".RB [ %s%s ]"):format(man.escape("--" .. option.name),
      option.value and (' " \\fI%s\\fR"'):format(option.value) or "")
  end
  for _, argument in ipairs(command.arguments or {}) do
    local open = argument.count and "[" or ""
    out[#out + 1] = (".RI \"%s\" %s \"%s\""):format(open, argument[2],
      argument.count == "*" and " ...]" or argument.count and "]" or "")
  end
  return table.concat(out, "\n")
end

local function options_text(command)
  local out = {}
  for _, argument in ipairs(command.arguments or {}) do
    out[#out + 1] = (".TP\n.I %s\n%s"):format(argument[2],
      man.inline(argument[3]))
  end
  for _, option in ipairs(shared.options_of(command)) do
    out[#out + 1] = (".TP\n\\fB%s\\fP%s\n%s%s."):format(option_name(option),
      option.value and " \\fI" .. option.value .. "\\fP" or "",
      man.inline(option.text), option.default
      and (" (default: %s)"):format(man.escape(option.default)) or "")
  end
  out[#out + 1] = ".TP\n\\fB\\-h, \\-\\-help\\fP\nshow the usage."
  return table.concat(out, "\n")
end

local function page_text(self, command)
  local name = "aioctl-" .. command.name
  return table.concat({
    ('.TH %s 1 "" "aioctl %s" "User Commands"'):format(
      man.escape(name):upper(), self.version),
    ".ad l",
    ".SH NAME\n" .. man.escape(name) .. " \\- "
      .. man.inline(command.summary:gsub("%.$", "")),
    ".SH SYNOPSIS\n" .. synopsis(command),
    ".SH DESCRIPTION\n" .. man.inline(command.text),
    ".SH OPTIONS\n" .. options_text(command),
    ".SH EXIT STATUS\n0; 1 when it fails; 124 after \\fBaioctl "
      .. "\\-\\-timeout\\fP. After INT or TERM it dies of that signal.",
    ".SH SEE ALSO\n.BR aioctl (1)\n",
  }, "\n")
end

-- ---- aioctl(1) ------------------------------------------------------------

local function sentence(s)
  return s:sub(1, 1):upper() .. s:sub(2):gsub("%.?$", ".")
end

local function command_list(self)
  local out = {}
  for i, command in ipairs(self.commands) do
    local arguments = {}
    for k, argument in ipairs(command.arguments or {}) do
      arguments[k] = argument.count and "[" .. argument[2] .. "]"
        or argument[2]
    end
    out[i] = (".TP\n.B %s \\fI%s\\fR\n%s  See\n.BR aioctl\\-%s (1)."):format(
      man.escape(command.name), table.concat(arguments, " "),
      man.inline(sentence(command.summary)), man.escape(command.name))
  end
  return table.concat(out, "\n") .. "\n"
end

-- "[=json]" is appended, other values follow.
local function option_value(option)
  local value = option.value or ""
  if value:find("^%[=") then
    return "\\fR[=\\fB" .. value:match("^%[=(.*)%]$") .. "\\fR]"
  end
  return value ~= "" and " \\fI" .. value .. "\\fR" or ""
end

local function host_options(self)
  local out = {}
  for _, option in ipairs(self.host.short) do
    out[#out + 1] = (".TP\n\\fB%s\\fR%s\n%s"):format(man.escape(option.name),
      option_value(option), man.inline(sentence(option.text)))
  end
  for _, option in ipairs(self.host.long) do
    out[#out + 1] = (".TP\n\\fB%s\\fR%s\n%s"):format(
      man.escape("--" .. option.name), option_value(option),
      man.inline(option.long))
  end
  return table.concat(out, "\n") .. "\n"
end

local function program_page(self)
  local lists = { commands = command_list(self), options = host_options(self) }
  local found = 0
  local page = self.program:gsub('\n%.\\" (%l+)\n', function(name)
    found = found + (lists[name] and 1 or 0)
    return lists[name] and "\n" .. lists[name]
  end)
  assert(found == 2, 'docs/aioctl.1 needs the lines .\\" commands and options')
  return page
end

--- Calls visit(path, text) for each manual page.
function commands.files(self, visit)
  visit("man1/aioctl.1", program_page(self))
  for _, command in ipairs(self.commands) do
    visit(("man1/aioctl-%s.1"):format(command.name), page_text(self, command))
  end
end

return commands
