--- aio.commands.info - the command line of aioctl info.
return {
  name = "info",
  text = "Shows the kernel, the libraries, and which fd monitors and file "
    .. "engines can be used here, or why not.",
  options = { "json" },
}
