--- aio.commands.copy - the command line of aioctl copy.
return {
  name = "copy",
  text = "Copies a file or block device with many requests in flight, past the "
    .. "page cache where possible.  Holes and blocks of zeros stay holes.",
  arguments = {
    { "src", "SRC", "file or block device to read", complete = "file" },
    { "dst", "DST", "file or block device to write", complete = "file" },
  },
  options = {
    "engine", "fdmon",
    { "depth", "N", "requests in flight", default = "16",
      kind = { "integer", 1, 1024 } },
    { "block", "SIZE", "bytes per request", default = "1M",
      kind = { "size", 512 } },
    { "direct", "O_DIRECT or fail; default: where it works",
      excludes = "no-direct" },
    { "no-direct", "through the page cache" },
    { "verify", "read both back and compare" },
    { "force", "write to a device that is in use" },
    "json", "progress", "verbose",
  },
}
