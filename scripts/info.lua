--- aioctl info - what this machine and this build can do, and why not.
local aio = require "aio"
local options = require "aio.cli.options"
local report = require "aio.cli.report"
local units = require "aio.cli.units"

local function print_backends(title, list)
  print(title)
  for _, row in ipairs(list) do
    print(("  %-10s %s"):format(row.name, row.usable and "usable" or
      "not usable: " .. (row.why or "no reason given")))
  end
end

local GUARDS <const> = {
  madv_guard = "guard pages by MADV_GUARD_INSTALL",
  mprotect = "guard pages by mprotect",
  canary = "no guard pages: a canary is checked at each switch",
}

local function print_stacks(stacks)
  print("task stacks")
  print("  guard      " .. (GUARDS[stacks.guard] or stacks.guard or
    "chosen when the first stack is made"))
  print("  switch     " .. (stacks.switcher or "unknown"))
end

local function count(n)
  if not n then
    return "unknown"
  end
  return n < 0 and "unlimited" or tostring(n)
end

local function print_limits(limits)
  print("limits")
  local memlock = limits.memlock
  print("  memlock    " .. (memlock and memlock >= 0 and units.size(memlock) or
    count(memlock)) .. "  (registered buffers; ulimit -l)")
  print("  nofile     " .. count(limits.nofile) .. "  (open files; ulimit -n)")
  print(("  aio        %s of %s used  (Linux AIO; /proc/sys/fs/aio-max-nr)")
    :format(count(limits.aio_nr), count(limits.aio_max_nr)))
  print("  maps       " .. count(limits.max_map_count) ..
    "  (/proc/sys/vm/max_map_count)")
  if limits.io_uring_disabled and limits.io_uring_disabled > 0 then
    print("  io_uring   disabled by sysctl kernel.io_uring_disabled=" ..
      limits.io_uring_disabled)
  end
end

local LIBRARIES <const> = { "lua", "liburing", "glib", "glibc" }

local function print_text(probe)
  print("aioctl " .. probe.version)
  print(("  kernel     %s %s %s, %d CPUs"):format(probe.kernel.system,
    probe.kernel.release, probe.kernel.machine, probe.limits.cpus))
  for _, name in ipairs(LIBRARIES) do
    print(("  %-10s %s"):format(name, probe.libraries[name] or "not built in"))
  end
  print_backends("fd monitors", probe.monitors)
  if probe.fdmon then
    print("  in use     " .. probe.fdmon .. (probe.fdmon_fallback and
      "  (" .. probe.fdmon_fallback .. ")" or ""))
  end
  print_backends("file engines", probe.engines)
  print_stacks(probe.stacks)
  print_limits(probe.limits)
end

local KEYS <const> = {
  "version", "kernel", "libraries", "monitors", "fdmon", "engines", "stacks",
  "limits", "name", "usable", "why", "system", "release", "machine",
}

local o = options.parse("info", { ... })
local probe = aio.probe()
if o.json then
  report.json(probe, KEYS)
else
  print_text(probe)
end
