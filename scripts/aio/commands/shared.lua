--- aio.commands.shared - options that several commands have.
--
-- An option is { NAME, [VALUE,] text, default =, kind =, short =, excludes =,
-- complete = }; without VALUE it is a flag.  A command lists its own, or those
-- of here by name.  An argument is { name, NAME, text, count =, kind =,
-- complete = }.  Kinds are those of aio.cli.options; complete is what a shell
-- completes: "file", "folder", "pid" or "name" (of aioctl help).
local shared = {}

shared.ENGINES = { "auto", "io_uring", "linux_aio", "threads" }
shared.FDMONS = { "auto", "io_uring", "epoll", "poll" }
shared.WHEN = { "auto", "always", "never" }

shared.options = {
  engine = { "engine", "ENGINE", "how files are read and written: "
    .. table.concat(shared.ENGINES, ", ") .. "; '!' at the end: or fail",
    kind = { "choice", shared.ENGINES, true } },
  fdmon = { "fdmon", "MONITOR", "how the loop waits: "
    .. table.concat(shared.FDMONS, ", "),
    kind = { "choice", shared.FDMONS, true } },
  json = { "json", "the report as JSON on stdout" },
  progress = { "progress", "WHEN", "progress line on stderr",
    default = "auto", kind = { "choice", shared.WHEN } },
  verbose = { "verbose", "say what was fallen back from", short = "v" },
}

--- The options of a command, each { name =, value =, text =, ... }.
function shared.options_of(command)
  local list = {}
  for i, option in ipairs(command.options or {}) do
    option = type(option) == "string" and shared.options[option] or option
    list[i] = {
      name = option[1], value = option[3] and option[2],
      text = option[3] or option[2], default = option.default,
      kind = option.kind, short = option.short, excludes = option.excludes,
      complete = option.complete,
    }
  end
  return list
end

--- The words that an option or argument takes, where these are known.
function shared.words(option)
  return option.kind and option.kind[1] == "choice" and option.kind[2] or nil
end

return shared
