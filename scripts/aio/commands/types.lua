--- aio.commands.types - the command line of aioctl types.
return {
  name = "types",
  text = "Writes types of the modules for the Lua language server to "
    .. "DIR/.aio-types, and a .luarc.json that makes it look there.",
  arguments = {
    { "dir", "DIR", "the folder of your project; default: this one",
      count = "?", complete = "folder" },
  },
  options = {
    { "force", "replace a .luarc.json that says something else" },
  },
}
