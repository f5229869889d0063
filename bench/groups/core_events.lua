-- core_events - the rows of the core group about waking: bottom halves, fds,
-- other threads
--
-- Goals are nanoseconds of ours by those of a peer that runs in the same
-- minute.  QEMU's loop, which cannot run here, measured against the same peers
-- on one machine:
--   persistent bottom half x100 / x1   22.9 / 55 ns (libuv idle 5.1 / 178)
--   one-shot x100                      40.8 ns
--   x1 with an fd: epoll, poll, ring   204, 385, 55 ns (epoll_wait(0) 109)
--   fd on epoll / io_uring             0.82x / 0.73x a bare epoll
--   ping-pong with polling on epoll    400 ns (libuv 49,500)
--   flood of one-shots                 101 to 185 ns
-- poll(0) takes 2.2 epoll_wait(0): QEMU's x1 on poll is at 1.6 of it, and 1.1
-- times as fast is 1.46.  The flood's peer takes 42 ns: 1.2 times as fast as
-- the better of QEMU's is 2.0.
-- To be 1.1 to 1.5 times as fast gives a goal below; where a bare peer gives a
-- stricter one, or ours is well beyond either, that is the goal.

local function row(env, name, ours, peer, goal)
  local function side(case)
    return env.case(case:match("^(.*):(.*)$"))
  end
  return {
    name = name,
    ours = side(ours),
    peer = side(peer),
    metrics = { { key = "ns", unit = "ns", goal = goal } },
  }
end

local function two_processors()
  local count = io.popen("nproc"):read("n")
  return (count or 1) < 2 and "needs two processors" or nil
end

local ROWS = {
  { "bh x1 : libuv async to itself", "core:bh1", "fd_peer:uv_async",
    "<=0.03" },
  { "bh x1 with an fd, epoll : epoll_wait(0)", "fd:tick_epoll",
    "fd_peer:epoll_zero", "<=1.45" },
  { "bh x1 with an fd, poll : poll(0)", "fd:tick_poll",
    "fd_peer:poll_zero", "<=1.46" },
  { "bh x1 with an fd, io_uring : libuv idle x1", "fd:tick_io_uring",
    "peer:uv_idle1", "<=0.15" },

  { "fd, epoll : bare epoll", "fd:fd_epoll_0", "fd_peer:epoll_0",
    "<=1.053" },
  { "fd, epoll : libuv poll handle", "fd:fd_epoll_0", "fd_peer:uv_poll",
    "<=1.0" },
  { "fd, io_uring : bare epoll", "fd:fd_io_uring_0", "fd_peer:epoll_0",
    "<=1.11" },
  { "fd, io_uring : bare one-shot polls", "fd:fd_io_uring_0",
    "fd_peer:uring_oneshot_0" },
  { "fd, poll : bare poll", "fd:fd_poll_0", "fd_peer:poll_0" },
  { "notifier, epoll : bare epoll", "fd:notifier_epoll_0",
    "fd_peer:epoll_0", "<=1.053" },
  { "notifier, io_uring : bare epoll", "fd:notifier_io_uring_0",
    "fd_peer:epoll_0", "<=0.952" },
  { "notifier, io_uring : bare multishot poll", "fd:notifier_io_uring_0",
    "fd_peer:uring_multishot_0" },
  { "notifier, poll : bare poll", "fd:notifier_poll_0", "fd_peer:poll_0" },
  { "... 64 idle fds, epoll : bare epoll", "fd:notifier_epoll_64",
    "fd_peer:epoll_64", "<=1.053" },
  { "... 1000 idle fds, epoll : bare epoll", "fd:notifier_epoll_1000",
    "fd_peer:epoll_1000", "<=1.053" },
  { "... 64 idle fds, poll : bare poll", "fd:notifier_poll_64",
    "fd_peer:poll_64" },
  { "... 1000 idle fds, poll : bare poll", "fd:notifier_poll_1000",
    "fd_peer:poll_1000" },
  { "fd, epoll, 10,000 idle : none", "fd:fd_epoll_10000",
    "fd:fd_epoll_0", "<=1.053" },
  { "fd, io_uring, 10,000 idle : none", "fd:fd_io_uring_10000",
    "fd:fd_io_uring_0", "<=1.053" },
  { "notifier, io_uring, 10,000 idle : none", "fd:notifier_io_uring_10000",
    "fd:notifier_io_uring_0", "<=1.053" },

  { "ping-pong, 1 CPU, epoll : bare epoll", "wake:bh_epoll_1cpu",
    "wake_peer:epoll_1cpu", "<=0.85" },
  { "ping-pong, 1 CPU, io_uring : bare epoll", "wake:bh_io_uring_1cpu",
    "wake_peer:epoll_1cpu", "<=0.85" },
  { "ping-pong, 1 CPU, io_uring : libuv async", "wake:bh_io_uring_1cpu",
    "wake_peer:uv_1cpu", "<=0.1" },
  { "ping-pong, 2 CPUs, epoll : bare epoll", "wake:bh_epoll_2cpu",
    "wake_peer:epoll_2cpu", "<=1.031", needs = two_processors },
  { "ping-pong, 2 CPUs, io_uring : bare epoll", "wake:bh_io_uring_2cpu",
    "wake_peer:epoll_2cpu", "<=1.031", needs = two_processors },
  { "ping-pong, 2 CPUs, epoll : libuv async", "wake:bh_epoll_2cpu",
    "wake_peer:uv_2cpu", "<=1.0", needs = two_processors },
  { "ping-pong, 2 CPUs, io_uring : libuv async", "wake:bh_io_uring_2cpu",
    "wake_peer:uv_2cpu", "<=1.0", needs = two_processors },
  { "ping-pong, polling, poll : libuv async", "wake:bh_poll_polling",
    "wake_peer:uv_2cpu", "<=0.02", needs = two_processors },
  { "ping-pong, polling, epoll : libuv async", "wake:bh_epoll_polling",
    "wake_peer:uv_2cpu", "<=0.02", needs = two_processors },
  { "ping-pong, polling, io_uring : libuv async",
    "wake:bh_io_uring_polling", "wake_peer:uv_2cpu", "<=0.02",
    needs = two_processors },
  { "flood of one-shots : list, mutex, eventfd", "wake:flood_epoll",
    "wake_peer:epoll_flood", "<=2.0" },
  { "flood of one-shots : list, mutex, libuv async", "wake:flood_io_uring",
    "wake_peer:uv_flood", "<=2.0" },
}

return function(env)
  local list = {}
  for i, r in ipairs(ROWS) do
    list[i] = row(env, table.unpack(r, 1, 4))
    list[i].needs = r.needs
  end
  return list
end
