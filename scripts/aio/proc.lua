--- aio.proc - child processes, with pipes as sockets.
--
-- Starting, signalling and reaping are written in C (src/lua/lproc.c); this
-- makes the pipes and collects output.
local aio = require "aio"
local check = require "aio.check"
local core = require "aio.proc.core"
require "aio.net" -- adds methods to sockets
local net = require "aio.net.core"

local proc = {}

local STREAMS <const> = { [0] = "stdin", "stdout", "stderr" }
local OUTPUT_MAX <const> = 64 << 20 -- bytes that run() collects per stream

-- ---- options --------------------------------------------------------------

local SPAWN_OPTIONS <const> = {
  stdin = true, stdout = true, stderr = true, env = true, setenv = true,
  cwd = true, group = true, session = true,
}
local RUN_OPTIONS <const> = setmetatable({
  input = true, timeout = true, max = true,
}, { __index = SPAWN_OPTIONS })

local SPAWN_KINDS <const> = { env = "table", setenv = "table", cwd = "string" }
local RUN_KINDS <const> = { input = "input", timeout = "seconds" }

local function check_options(opts, known, call)
  for key in pairs(opts) do
    if type(key) == "string" and not known[key] then
      error(("%s: unknown option '%s'%s"):format(call, key,
        net.suggest(key, SPAWN_OPTIONS)), 3)
    end
  end
  check.fields(opts, SPAWN_KINDS, call, 4)
end

local function check_argv(argv, call)
  if type(argv) ~= "table" or argv[1] == nil then
    error(call .. ': a list of the program and its arguments expected, as '
      .. '{"ls", "-l"}; a shell line is {"sh", "-c", line}', 3)
  end
end

local function check_variable(name, value)
  if type(name) ~= "string" or name == "" or name:find("=", 1, true) then
    error(("env: '%s' is no name of a variable"):format(tostring(name)), 0)
  elseif type(value) ~= "string" and type(value) ~= "number" then
    error(("env: variable '%s': a string expected, got %s"):format(name,
      type(value)), 0)
  end
end

-- The list of "NAME=value", or nil: the parent's.
local function environment(opts)
  if not opts.env and not opts.setenv then
    return nil
  end
  local variables = {}
  if not opts.env then
    for _, line in ipairs(core.environ()) do
      local name, value = line:match("^([^=]+)=(.*)$")
      if name then
        variables[name] = value
      end
    end
  end
  for name, value in pairs(opts.env or {}) do
    check_variable(name, value)
    variables[name] = value
  end
  for name, value in pairs(opts.setenv or {}) do
    if value ~= false then
      check_variable(name, value)
    end
    variables[name] = value or nil
  end
  local list = {}
  for name, value in pairs(variables) do
    list[#list + 1] = name .. "=" .. value
  end
  return list
end

-- ---- streams --------------------------------------------------------------

-- What the child gets while it is started; closed here afterwards.
local Wiring = {}
Wiring.__index = Wiring

function Wiring:__close()
  for _, fd in ipairs(self.close) do
    fd:close()
  end
  for name, pipe in pairs(self.pipes) do -- not taken by a process
    pipe:close()
    self.pipes[name] = nil
  end
end

function Wiring:pipe(index)
  local ours, childs, errno = net.pipe(index == 0)
  if not ours then
    return nil, childs, errno
  end
  self.pipes[STREAMS[index]] = ours
  self.close[#self.close + 1] = childs
  self[index] = childs
  return true
end

function Wiring:null(index)
  local null, message, errno = io.open("/dev/null", index == 0 and "r" or "w")
  if not null then
    return nil, message, errno
  end
  self.close[#self.close + 1] = null
  self[index] = null
  return true
end

-- connect(index, what): what the child's stdin, stdout, stderr is
function Wiring:connect(index, what)
  if what == nil or what == "inherit" then
    return true
  elseif what == "pipe" then
    return self:pipe(index)
  elseif what == "null" then
    return self:null(index)
  elseif what == "stdout" and index == 2 then
    self[2] = self[1] or 1
    return true
  elseif type(what) == "string" then
    error(('%s: "pipe", "null", "inherit"%s or a descriptor expected, got "%s"')
      :format(STREAMS[index], index == 2 and ', "stdout"' or "", what), 0)
  elseif type(what) ~= "number" and type(what) ~= "userdata"
    and not (type(what) == "table" and (what.fd or what.getfd or what.fileno))
  then
    error(("%s: a descriptor expected, got %s"):format(STREAMS[index],
      type(what)), 0)
  end
  if net.is_socket(what) then
    net.set_blocking(what)
  end
  self[index] = what
  return true
end

-- ---- process --------------------------------------------------------------

local Process = { __name = "aio.process" }
Process.__index = Process

--- class aio.ExitStatus
--
-- code?: integer - exit status
-- signal?: string - what killed it, as in `"SIGKILL"`
-- core?: boolean - did it dump core?

--- process:wait(sec?: aio.Wait) -> aio.ExitStatus!
--
-- How it ended. Parks. Any number of tasks, any number of times.
function Process:wait(sec)
  check.class(self, Process.__name)
  return self.core:wait(sec)
end

--- process:kill(signal?: string|integer, whole_group?: boolean) -> true!
--
-- `"TERM"` if left out; a name or number. `ESRCH` once it is reaped.
function Process:kill(signal, whole_group)
  check.class(self, Process.__name)
  return self.core:kill(signal, whole_group)
end

--- process:pid() -> integer
function Process:pid()
  check.class(self, Process.__name)
  return self.core:pid()
end

--- process:is_running() -> boolean
function Process:is_running()
  check.class(self, Process.__name)
  return self.core:is_running()
end

--- process:close()
--
-- Closes the pipes; kills the child (KILL) and waits for it if it runs. So
-- does the end of a `<close>` variable.
function Process:close()
  check.class(self, Process.__name)
  for _, name in pairs(STREAMS) do
    if self[name] then
      self[name]:close()
    end
  end
  if self.core:is_running() then
    self.core:kill("KILL")
    if aio.self() then
      aio.shield(self.core.wait, self.core)
    end
  end
end

Process.__close = Process.close

function Process:__tostring()
  return ("aio.process (%d%s)"):format(self:pid(),
    self:is_running() and "" or ", ended")
end

local function start(wiring, argv, opts)
  local spec = {
    argv = argv, env = environment(opts), cwd = opts.cwd,
    group = opts.group, session = opts.session,
  }
  for i = 0, 2 do
    local ok, message, errno = wiring:connect(i, opts[STREAMS[i]])
    if not ok then
      return nil, message, errno
    end
    spec[i] = wiring[i]
  end
  local child, message, errno = core.spawn(spec)
  if not child then
    return nil, message, errno
  end
  local process = setmetatable({ core = child }, Process)
  for name, pipe in pairs(wiring.pipes) do
    process[name] = pipe
    wiring.pipes[name] = nil
  end
  return process
end

local function spawn(argv, opts)
  local wiring <close> = setmetatable({ close = {}, pipes = {} }, Wiring)
  return start(wiring, argv, opts)
end

--- alias aio.Stream =
--     "inherit"|"pipe"|"null"|"stdout"|aio.Descriptor|Socket|File
--
-- A stream of a child: `"stdout"` is for stderr only; or a descriptor.

--- class aio.ProcessOptions
--
-- stdin?: aio.Stream - `"inherit"` by default; `"null"` of `proc.run`
-- stdout?: aio.Stream - `"inherit"` by default; `"pipe"` of `proc.run`
-- stderr?: aio.Stream - `"inherit"` by default; `"pipe"` of `proc.run`
-- env?: table<string, string|number> - replaces the whole environment
-- setenv?: table<string, string|number|false> - changes it; `false` removes
-- cwd?: string - the folder to run in
-- group?: boolean - leader of a process group
-- session?: boolean - leader of a session

--- class aio.SpawnOptions: aio.ProcessOptions
--
-- [integer]: string|number - the program and its arguments

--- class aio.RunOptions: aio.ProcessOptions
--
-- input?: string|Buf - for stdin
-- timeout?: number - seconds, then the child is killed
-- max?: aio.Size - bytes of output per stream, `"64M"`; with more it is
--     killed: `EMSGSIZE`

--- class aio.RunResult
--
-- code?: integer - exit status
-- signal?: string - what killed it, as in `"SIGKILL"`
-- core?: boolean - did it dump core?
-- out?: string - what it wrote to a piped stdout
-- err?: string - what it wrote to a piped stderr

--- class Process (process)
--
-- stdin?: Socket - if it is a pipe
-- stdout?: Socket - if it is a pipe
-- stderr?: Socket - if it is a pipe

--- proc.spawn(spec: aio.SpawnOptions) -> Process!
--
-- `proc.spawn{program, argument, ..., stdin =, ...}` starts a child. Parks.
-- The program is looked for in `PATH`; one that cannot be started is named in
-- the error.
function proc.spawn(spec)
  check_argv(spec, "proc.spawn")
  check_options(spec, SPAWN_OPTIONS, "proc.spawn")
  return spawn(table.move(spec, 1, #spec, 1, {}), spec)
end

-- ---- run ------------------------------------------------------------------

-- Everything that comes from the pipe into the list; true when that is more
-- than @max bytes.
local function collect(pipe, list, max)
  local size = 0
  for chunk in pipe:chunks() do
    list[#list + 1] = chunk
    size = size + #chunk
    if size > max then
      return true
    end
  end
  return false
end

local function feed(pipe, input)
  pipe:send(input) -- a child need not read it: EPIPE is no error
  pipe:close()
end

-- The tasks of a run, which end with it.
local Crew = {}
Crew.__index = Crew

function Crew:__close()
  aio.shield(function()
    for _, task in ipairs(self) do
      task:cancel()
      task:pjoin()
    end
  end)
end

local function over(opts, max, result, name)
  return nil, ("EMSGSIZE: %s: more than %d bytes on %s (run; see option max)")
    :format(opts.program, max, name), aio.errno.EMSGSIZE, result
end

local OUTPUTS <const> = { stdout = "out", stderr = "err" }

-- Waits for the end of @count outputs and of the child: its status, or why
-- not; the name of an output that was too long.
local function await_end(process, ended, count, left)
  for _ = 1, count do
    local reader, message, errno = ended:get(left())
    if not reader then
      return nil, message, errno
    elseif reader.too_much then
      return nil, reader.name
    end
  end
  return process:wait(left())
end

-- What came goes to @result, also when it was not all.
local function gather(process, crew, opts, result)
  local deadline = opts.timeout and aio.now() + opts.timeout
  local max = opts.max and aio.size(opts.max) or OUTPUT_MAX
  local ended, count, parts = aio.sync.chan(2), 0, {}
  for name, key in pairs(OUTPUTS) do
    if process[name] then
      count = count + 1
      parts[key] = {}
      crew[#crew + 1] = aio.spawn(function()
        ended:put { name = name,
          too_much = collect(process[name], parts[key], max) }
      end)
    end
  end
  local status, message, errno = await_end(process, ended, count, function()
    return deadline and math.max(deadline - aio.now(), 0)
  end)
  for key, list in pairs(parts) do
    result[key] = table.concat(list)
  end
  if status then
    result.code, result.signal = status.code, status.signal
    return result
  elseif OUTPUTS[message] then
    return over(opts, max, result, message)
  end
  return nil, message, errno, result
end

--- proc.run(argv: (string|number)[], opts?: aio.RunOptions) ->
--     aio.RunResult!, aio.RunResult?
--
-- Runs a program to its end. Parks. Errors come with what was received so far
-- as a fourth value.
function proc.run(argv, opts)
  check_argv(argv, "proc.run")
  opts = check.is("table", opts, "proc.run: options") or {}
  check_options(opts, RUN_OPTIONS, "proc.run")
  check.fields(opts, RUN_KINDS, "proc.run")
  if opts.input and (opts.stdin or "pipe") ~= "pipe" then
    error("proc.run: option 'input' goes to a pipe; leave out 'stdin'", 2)
  end
  local streams = setmetatable({
    program = argv[1],
    stdin = opts.input and "pipe" or opts.stdin or "null",
    stdout = opts.stdout or "pipe", stderr = opts.stderr or "pipe",
  }, { __index = opts })
  local child, message, errno = spawn(argv, streams)
  if not child then
    return nil, message, errno
  end
  local process <close> = child
  local crew <close> = setmetatable({}, Crew)
  if opts.input then
    crew[1] = aio.spawn(feed, process.stdin, opts.input)
  end
  return gather(process, crew, streams, {})
end

return proc
