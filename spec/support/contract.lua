--- contract - what the Lua surface has to have, whatever else it has.
--
-- The promise to scripts, name by name: spec/lua/contract_spec.lua looks for
-- each in the binary.  A name leaves this list only with a new major version.
-- Names may be added; docs/api has all there are.
local contract = {}

local function words(text)
  local list = {}
  for word in text:gmatch("%S+") do
    list[#list + 1] = word
  end
  return list
end

-- Modules, and the functions in each.
contract.functions = {
  aio = words [[
    bh defer timer fd notifier
    spawn after every on_signal self sleep yield wait_fd wait_signal select
    park await group timeout shield context buf bufpool hist batch offload
    iothread run clock size errname stats handles tasks stop exit on_error
    is_cancelled now now_ns
  ]],
  ["aio.sync"] = words "chan sem mutex rwlock cond event latch rate",
  ["aio.file"] = words [[
    open stat unlink rename mkdir rmdir readdir link symlink tmp copy stdin
    stdout stderr watch readlink chmod utime
  ]],
  ["aio.net"] = words "listen dial udp pair resolve",
  ["aio.proc"] = words "spawn run",
  ["aio.block"] = words "device filter open",
}

-- Classes, and the methods of each.
contract.methods = {
  bh = words [[
    schedule schedule_idle schedule_always cancel delete remote ref unref close
  ]],
  remote = words "schedule close",
  timer = words "mod mod_anticipate del pending deadline ref unref close",
  handler = words "set delete ref unref close",
  notifier = words "set test_and_clear handler fd ref unref close",
  signal = words "cancel ref unref close",
  task = words [[
    join pjoin cancel status name traceback unref ref waker
  ]],
  every = words "cancel",
  group = words "spawn",
  ctx = words [[
    poll notify get set stats policy disable_external enable_external acquire
    release close
  ]],
  buf = words [[
    slice tostring set fill copy clone find equal is_zero crc32c pack unpack
    move close
  ]],
  pool = words "get close",
  hist = words "record percentile merge summary hgrm json",
  thread = words "call channel context close",
  chan = words "put get try_put try_get iter close",
  sem = words "acquire release",
  mutex = words "lock try_lock unlock guard",
  rwlock = words "rdlock wrlock unlock upgrade downgrade",
  cond = words "wait signal broadcast",
  event = words "wait set clear is_set",
  latch = words "count_down wait",
  rate = words "take",
  file = words [[
    pread pwrite preadv pwritev read_exact write_all fsync fdatasync truncate
    allocate punch zero discard size statx copy_range splice advise lock close
    read lines
  ]],
  sock = words [[
    recv send recv_exact lines chunks accepts shutdown sendfd recvfd try_recv
    try_send try_accept fd close starttls
  ]],
  process = words "wait kill close",
  watch = words "close next iter",
  lock = words "unlock close",
  node = words [[
    pread pwrite flush trim zero status cache close drain replace insert remove
  ]],
}

-- Metamethods: what holds a resource closes at the end of its scope and when
-- it is collected; a waker is called.
contract.metamethods = {
  waker = words "__call",
  buf = words "__len __close __gc",
  guard = words "__close",
}
for _, class in ipairs(words [[bh timer handler notifier signal ctx pool thread
    file sock watch remote]]) do
  contract.metamethods[class] = words "__close __gc"
end
contract.metamethods.process = words "__close"
contract.metamethods.lock = words "__close"
contract.metamethods.node = words "__close"

-- Fields of objects and of what functions return.
contract.fields = {
  file = words "fd align path engine",
  node = words "size block_size readonly name",
  process = words "stdin stdout stderr",
  result = words "code out err", -- of proc.run; signal instead of code
  killed = words "signal out err",
  errno = words "ENOENT EPIPE ETIMEDOUT EINVAL EBADF",
  settings = words [[
    fdmon poll_max_ns poll_grow poll_shrink max_batch thread_pool_min
    thread_pool_max
  ]],
  stats = words [[
    iterations polls poll_hits poll_ns blocked_ns bhs fds timers coroutines
    dispatched submitted completed in_flight batches notifies tasks
  ]],
  timed_stats = words "lag callback", -- after ctx:set { timing = true }
  all_stats = words "tasks handles anchors",
}

-- Options of each call that takes some, with a value that must be taken.
local function none() end

contract.options = {
  ["aio.timer"] = { clock = "host", name = "n", ctx = "ctx" },
  ["aio.fd"] = {
    read = none, write = none, poll = none, poll_ready = none,
    poll_begin = none, poll_end = none, external = true, name = "n",
    ctx = "ctx",
  },
  ["aio.group"] = { limit = 1 },
  ["aio.context"] = {
    fdmon = "poll", poll_max_ns = 1, poll_grow = 1, poll_shrink = 1,
    max_batch = 1, thread_pool_min = 1, thread_pool_max = 1,
  },
  ["ctx:set"] = {
    fdmon = "poll!", poll_max_ns = 1, poll_grow = 1, poll_shrink = 1,
    max_batch = 1, thread_pool_min = 1, thread_pool_max = 1,
  },
  ["aio.batch"] = { link = true },
  ["ctx:policy"] = { name = "n", every = 1, decide = none, poll_ns = none },
  ["aio.buf"] = { size = "4k", align = 512, register = true },
  ["aio.bufpool"] = { count = 1, size = "4k", align = 512, register = true },
  ["aio.iothread"] = { init = none, poll_max_ns = 0, affinity = "cpu" },
  ["file.open"] = {
    direct = "try", engine = "auto", create = true, excl = false, perm = 384,
    sync = true,
  },
  ["net.listen"] = { tls = false },
  ["net.dial"] = { tls = false, timeout = 1 },
  ["sock:starttls"] = { timeout = 1 },
  ["proc.spawn"] = {
    stdin = "null", stdout = "null", stderr = "null", env = {}, cwd = "/",
  },
  ["proc.run"] = {
    stdin = "null", env = {}, cwd = "/", input = "x", timeout = 5,
  },
}

-- Names that clocks, engines and monitors go by.
contract.values = {
  clock = words "realtime virtual host virtual_rt",
  engine = words "io_uring linux_aio threads auto threads!",
  fdmon = words "poll epoll io_uring",
  policy = words "qemu busy sleep latency_target",
}

-- Options of the host, and its commands.
contract.host = words [[
  -e -i -l -v -E -W -m --version --fdmon --timeout --on-error --stats --slow
  --trace
]]
contract.commands = words "copy info policy-lab top types help"

-- In the design, not in the binary yet.  Empty but for what other parts of the
-- plan bring: commands for block devices, the NBD server, the test kit.
contract.later = words [[
  aioctl:bench aioctl:verify aioctl:map aioctl:replay
  aio.nbd aioctl:serve
  aio.test
]]

return contract
