-- lua - what scripts pay, against luv, cqueues, stock Lua and bare C

local parts = require "lib.parts"

return function(env)
  return parts("lua", { "callbacks", "fd", "timers", "task", "gc",
    "threads", "file", "net" }, env)
end
