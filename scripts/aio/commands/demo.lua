--- aio.commands.demo - the command line of aioctl demo.
return {
  name = "demo",
  text = "Copies a generated file with each engine and compares.",
  options = {
    { "dir", "DIR", "folder for the files", default = ".",
      complete = "folder" },
    { "size", "SIZE", "bytes to copy", default = "256M",
      kind = { "size", 1 } },
    "json",
  },
}
