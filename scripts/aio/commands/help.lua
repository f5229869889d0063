--- aio.commands.help - the command line of aioctl help.
return {
  name = "help",
  text = "Tells about a function (aio.file.open, file.open, open), a module, a "
    .. "class, a type or a command; without a name lists what there is.",
  arguments = {
    { "name", "NAME", "what to tell about", count = "?", complete = "name" },
  },
  options = {
    { "names", "all that NAME may be, one on a line" },
  },
}
