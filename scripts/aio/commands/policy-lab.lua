--- aio.commands.policy-lab - the command line of aioctl policy-lab.
return {
  name = "policy-lab",
  text = "Runs a workload under several policies of the loop, and shows what "
    .. "each costs and what latency it gives.",
  arguments = {
    { "workload", "WORKLOAD", "a Lua file that returns a function(lab)",
      complete = "file" },
    { "args", "ARGS", "for the workload, as lab.args", count = "*" },
  },
  options = {
    { "policies", "LIST", "names, separated by commas: default, sleep, "
      .. "qemu, latency_target[=PERCENTILE], busy, or files of one's own",
      default = "sleep,qemu,latency_target,busy", kind = { "policies" } },
    { "rounds", "N", "runs of each policy", default = "3",
      kind = { "integer", 1, 1000 } },
    { "seconds", "TIME", "length of a run", default = "1",
      kind = { "seconds", "10ms", "1h" } },
    { "html", "FILE", "write a page with charts", complete = "file" },
    "json",
  },
}
