--- doc.complete - completion for bash, zsh and fish.
--
-- From the options of the program and what the commands declare.
local shared = require "aio.commands.shared"

local complete = {}

local function quote(s)
  return "'" .. s:gsub("'", "'\\''") .. "'"
end

local function join(list, pattern)
  local out = {}
  for i, item in ipairs(list) do
    out[i] = pattern(item)
  end
  return table.concat(out, " ")
end

local function command_names(self)
  return join(self.commands, function(command) return command.name end)
end

-- Options of a command: "--depth --block ..."
local function option_names(command)
  local list = shared.options_of(command)
  list[#list + 1] = { name = "help" }
  return join(list, function(option) return "--" .. option.name end)
end

-- ---- bash -----------------------------------------------------------------

local BASH <const> = [==[
# Completion of aioctl for bash; made by the build.

_aioctl_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen "$1" -- "$cur")
}

_aioctl_words() {
  mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

_aioctl_command() {
  case $command:$prev in
@VALUES@
  esac
  if [[ $cur == -* ]]; then
    case $command in
@OPTIONS@
    esac
  else
    case $command in
@ARGUMENTS@
      *) _aioctl_files -f ;;
    esac
  fi
}

_aioctl() {
  local cur prev command='' i
  cur=${COMP_WORDS[COMP_CWORD]}
  prev=${COMP_WORDS[COMP_CWORD - 1]}
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      @WITH_VALUE@) ((i++)) ;;
      -*) ;;
      *) command=${COMP_WORDS[i]}; break ;;
    esac
  done
  if [[ -n $command ]]; then
    _aioctl_command
    return
  fi
  case $prev in
@HOST_VALUES@
  esac
  if [[ $cur == -* ]]; then
    _aioctl_words "@HOST_OPTIONS@"
  else
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -W "@COMMANDS@" -- "$cur"
      compgen -f -- "$cur")
  fi
}

complete -F _aioctl aioctl
]==]

-- What completes the value of an option or an argument, in bash.
local function bash_action(thing)
  local words = shared.words(thing)
  if words then
    return ("_aioctl_words %s"):format(quote(table.concat(words, " ")))
  elseif thing.complete == "folder" then
    return "_aioctl_files -d"
  elseif thing.complete == "file" then
    return "_aioctl_files -f"
  elseif thing.complete == "name" then
    return '_aioctl_words "$(aioctl help --names)"'
  elseif thing.complete == "pid" then
    return '_aioctl_words "$(pgrep -x aioctl)"'
  end
  return ":"
end

local function bash_lists(self)
  local values, options, arguments = {}, {}, {}
  for _, command in ipairs(self.commands) do
    options[#options + 1] = ('      %s) _aioctl_words "%s" ;;'):format(
      command.name, option_names(command))
    for _, option in ipairs(shared.options_of(command)) do
      if option.value then
        values[#values + 1] = ("    %s:--%s) %s; return ;;"):format(
          command.name, option.name, bash_action(option))
      end
    end
    local argument = (command.arguments or {})[1]
    if not argument or argument.complete ~= "file" then
      arguments[#arguments + 1] = ("      %s) %s ;;"):format(command.name,
        bash_action(argument or {}))
    end
  end
  return values, options, arguments
end

local function host_option_words(self)
  local seen, list = {}, {}
  for _, option in ipairs(self.host.short) do
    if not seen[option.name] and option.name:find("%a") then
      list[#list + 1] = option.name
    end
    seen[option.name] = true
  end
  for _, option in ipairs(self.host.long) do
    list[#list + 1] = "--" .. option.name
  end
  return table.concat(list, " ")
end

local function takes_word(option)
  return option.value and not option.value:find("^%[")
end

local function bash_host(self)
  local with_value, values = { "-e", "-l" }, {}
  for _, option in ipairs(self.host.long) do
    if takes_word(option) then
      with_value[#with_value + 1] = "--" .. option.name
      values[#values + 1] = ("    --%s) %s; return ;;"):format(option.name,
        option.words and "_aioctl_words " .. quote(table.concat(option.words,
          " ")) or option.value == "FILE" and "_aioctl_files -f" or ":")
    end
  end
  return with_value, values
end

local function bash(self)
  local values, options, arguments = bash_lists(self)
  local with_value, host_values = bash_host(self)
  local lists = {
    VALUES = table.concat(values, "\n"), OPTIONS = table.concat(options, "\n"),
    ARGUMENTS = table.concat(arguments, "\n"),
    WITH_VALUE = table.concat(with_value, " | "),
    HOST_VALUES = table.concat(host_values, "\n"),
    HOST_OPTIONS = host_option_words(self), COMMANDS = command_names(self),
  }
  return (BASH:gsub("@([%u_]+)@", lists))
end

-- ---- zsh ------------------------------------------------------------------

local ZSH <const> = [==[
#compdef aioctl
# Completion of aioctl for zsh; made by the build.

_aioctl_names() {
  local -a names
  names=(${(f)"$(aioctl help --names)"})
  compadd -a names
}

_aioctl_commands() {
  local -a commands
  commands=(
@COMMANDS@
  )
  _describe command commands
  _files
}

_aioctl() {
  local context state line
  local -A opt_args
  _arguments -C \
@HOST@
    '1: :_aioctl_commands' '*:: :->rest'
  [[ $state == rest ]] || return
  case $line[1] in
@CASES@
    *) _files ;;
  esac
}

_aioctl "$@"
]==]

local function zsh_text(s)
  return (s:gsub("[%[%]:\\]", "\\%0"))
end

local function zsh_action(thing)
  local words = thing.words or shared.words(thing)
  if words then
    return "(" .. table.concat(words, " ") .. ")"
  elseif thing.complete == "folder" then
    return "_files -/"
  elseif thing.complete == "file" or thing.value == "FILE" then
    return "_files"
  elseif thing.complete == "name" then
    return "_aioctl_names"
  elseif thing.complete == "pid" then
    return "_pids"
  end
  return " "
end

local function zsh_option(option)
  local value = takes_word(option)
    and (":%s:%s"):format(zsh_text(option.value), zsh_action(option)) or ""
  return "    " .. quote(("--%s[%s]%s"):format(option.name,
    zsh_text(option.text), value))
end

local function zsh_case(command)
  local out = { ("    %s)\n      _arguments"):format(command.name) }
  for _, option in ipairs(shared.options_of(command)) do
    out[#out + 1] = "    " .. zsh_option(option)
  end
  for _, argument in ipairs(command.arguments or {}) do
    out[#out + 1] = "        " .. quote(("%s:%s:%s"):format(
      argument.count == "*" and "*" or argument.count and ":" or "",
      argument[2], zsh_action(argument)))
  end
  return table.concat(out, " \\\n") .. " ;;"
end

local function zsh(self)
  local lists = { HOST = {}, CASES = {}, COMMANDS = {} }
  for i, option in ipairs(self.host.long) do
    lists.HOST[i] = zsh_option(option) .. " \\"
  end
  for i, command in ipairs(self.commands) do
    lists.CASES[i] = zsh_case(command)
    lists.COMMANDS[i] = "    " .. quote(command.name .. ":"
      .. zsh_text(command.summary))
  end
  return (ZSH:gsub("@(%u+)@", function(name)
    return table.concat(lists[name], "\n")
  end))
end

-- ---- fish -----------------------------------------------------------------

local function fish_action(thing)
  local words = thing.words or shared.words(thing)
  if words then
    return " -x -a " .. quote(table.concat(words, " "))
  elseif thing.complete == "folder" then
    return " -x -a '(__fish_complete_directories)'"
  elseif thing.complete == "name" then
    return " -x -a '(aioctl help --names)'"
  elseif thing.complete == "pid" then
    return " -x -a '(__fish_complete_pids)'"
  end
  return thing.complete == "file" and " -r" or " -x"
end

local function fish(self)
  local names = command_names(self)
  local none = ("-n 'not __fish_seen_subcommand_from %s'"):format(names)
  local out = { "# Completion of aioctl for fish; made by the build." }
  local function add(when, rest)
    out[#out + 1] = ("complete -c aioctl %s %s"):format(when, rest)
  end
  for _, command in ipairs(self.commands) do
    add(none, ("-a %s -d %s"):format(command.name, quote(command.summary)))
  end
  for _, option in ipairs(self.host.long) do
    add(none, ("-l %s -d %s%s"):format(option.name, quote(option.text),
      takes_word(option) and fish_action(option) or ""))
  end
  for _, command in ipairs(self.commands) do
    local when = ("-n '__fish_seen_subcommand_from %s'"):format(command.name)
    for _, option in ipairs(shared.options_of(command)) do
      add(when, ("-l %s%s -d %s%s"):format(option.name,
        option.short and " -s " .. option.short or "", quote(option.text),
        option.value and fish_action(option) or ""))
    end
    local argument = (command.arguments or {})[1]
    if argument and argument.complete ~= "file" then
      add(when, (fish_action(argument):gsub("^ ", "")))
    end
  end
  return table.concat(out, "\n") .. "\n"
end

--- Calls visit(path, text) for each shell.
function complete.files(self, visit)
  visit("bash/aioctl", bash(self))
  visit("zsh/_aioctl", zsh(self))
  visit("fish/aioctl.fish", fish(self))
end

return complete
