--- aio.commands.top - the command line of aioctl top.
return {
  name = "top",
  text = "Shows what a program that runs under aioctl is doing: how busy its "
    .. "loop is, its I/O, tasks and handles. The program has to be started "
    .. "with --control (or AIOCTL_CONTROL=1) by the same user.",
  arguments = {
    { "pid", "PID", "its process id", kind = { "integer", 1, 1 << 22 },
      complete = "pid" },
  },
  options = {
    { "interval", "TIME", "seconds between two looks", default = "1s",
      kind = { "seconds", "10ms" } },
    { "count", "N", "end after so many looks",
      kind = { "integer", 1, 1 << 31 } },
    { "tracebacks", "where each task stands, once" },
    "json",
  },
}
