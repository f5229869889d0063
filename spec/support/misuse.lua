--- misuse - wrong calls, and what is said about each
--
-- Left is a call, for which spec/lua/misuse_spec.lua makes the objects that it
-- names; right is a pattern of the message that it raises.  After "->" stands
-- the name of the error that it returns instead.
local NAN <const> = "(0/0)"

local text = [=[
# callbacks
aio.bh()                                  #1 .*function expected
aio.bh(print, {})                         #2 .*string expected
aio.bh(print, "x", 5)                     #3 .*aio.context expected
aio.defer(5)                              #1 .*function expected
aio.timer()                               #1 .*table expected
aio.timer{}                               'fn' must be a function
aio.timer{fn = print, clock = "zz"}       'clock': unknown clock 'zz'
aio.timer{fn = print, name = {}}          'name' must be a string, got table
aio.timer{fn = print, ctx = 5}            'ctx' must be a context, got number
aio.timer{fn = print, ct = 5}             unknown option 'ct'
timer:mod(NAN)                            #1 .*seconds expected, got
timer:mod("x")                            #1 .*number expected
timer:mod()                               #1 .*number expected
timer:mod_anticipate({})                  #1 .*number expected
aio.fd()                                  #1 .*descriptor expected
aio.fd(-1, {})                            #1 .*out of range
aio.fd(9999, {})                          -> EBADF
aio.fd(0)                                 #2 .*table expected
aio.fd(0, {read = 5})                     'read' must be a function
aio.fd(0, {poll = print})                 'poll' and 'poll_ready'
aio.fd(0, {name = {}})                    'name' must be a string
aio.fd(0, {ctx = {}})                     'ctx' must be a context
handler:set(5)                            table expected
handler:set{write = 5}                    'write' must be a function
aio.notifier(5)                           #1 .*table expected
aio.notifier{name = {}}                   'name' must be a string
aio.notifier{ctx = 5}                     'ctx' must be a context
notifier:handler(5)                       function expected
aio.on_signal()                           #1 .*string expected
aio.on_signal("ZZ", print)                #1 .*unknown signal 'ZZ'
aio.on_signal("KILL", print)              KILL cannot be caught
aio.on_signal("USR1")                     #2 .*function expected
aio.wait_signal()                         #1 .*string expected
aio.wait_signal("HUP", -1)                must not be negative
handler:set()                             #1 .*table expected
aio.defer()                               #1 .*function expected
aio.defer(print, {})                      #2 .*string expected
aio.isatty("x")                           #1 .*number expected
# tasks and scopes
aio.spawn()                               #1 .*function expected
aio.spawn(5)                              #1 .*function expected
aio.after(-1, print)                      #1 .*must not be negative
aio.after(1)                              #2 .*function expected
aio.every(NAN, print)                     #1 .*NaN
aio.every(1)                              #2 .*function expected
aio.sleep()                               #1 .*number expected
aio.sleep("1")                            #1 .*seconds expected, got string
aio.sleep(-1)                             #1 .*must not be negative
aio.sleep(NAN)                            #1 .*NaN
aio.park("x")                             #1 .*seconds expected
aio.await()                               #1 .*function expected
aio.await(print, "x")                     #2 .*seconds expected
aio.self():join()                         a task cannot join itself
aio.self():pjoin()                        a task cannot join itself
aio.select{aio.self()}                    a task cannot join itself
task:join("x")                            seconds expected
task:pjoin{timeout = "x"}                 'timeout' must be a number
task:name({})                             #1 .*string expected
aio.group()                               #1 .*function expected
aio.group(print, 5)                       #2 .*table expected
aio.group(print, {limit = 0})             limit must be a positive integer
aio.group(print, {limit = "x"})           limit must be a positive integer
group:spawn(print)                        the group has ended
aio.timeout()                             #1 .*number expected
aio.timeout(-1, print)                    #1 .*must not be negative
aio.timeout(1)                            #2 .*function expected
aio.shield()                              #1 .*function expected
aio.batch()                               #1 .*function expected
aio.offload("x")                          #1 .*function expected
aio.offload(print, coroutine.create(print))  arg 1: a coroutine cannot be sent
aio.offload(aio.sleep, 1)                 no function 'sleep' in 'aio'
aio.on_error(5)                           #1 .*function expected
aio.exit("x")                             #1 .*number expected
aio.run()                                 #1 .*function expected
aio.select()                              #1 .*table expected
aio.select{}                              nothing to wait for
aio.select{{}}                            case '1' of select: .*got table
aio.select{{put = 5}}                     case '1' of select: put wants
aio.select{{put = chan}}                  value to put expected
aio.select{-1}                            case '1' .*not negative.*got %-1
aio.select{NAN}                           case '1' .*not negative.*got %-?nan
aio.select({1}, "x")                      #2 .*seconds expected
aio.wait_fd(0)                            #2 .*string expected
aio.wait_fd(0, "z")                       #2 .*invalid option 'z'
aio.wait_fd(9999, "r")                    -> EBADF
aio.after("x", print)                     #1 .*number expected
aio.offload()                             #1 .*function expected
task:join(-1)                             must not be negative
aio.group(print, {zz = 1})                unknown option 'zz'
aio.batch(print, {zz = 1})                unknown option 'zz'
aio.batch(print, 5)                       #2 .*table expected
aio.timeout("x", print)                   #1 .*number expected
# contexts
aio.context(5)                            #1 .*table expected
aio.context{zz = 1}                       unknown option 'zz'
aio.context{fdmon = "zz"}                 unknown fdmon 'zz'
aio.context{poll_max_ns = -1}             poll_max_ns is %-1
aio.context{poll_max_ns = "x"}            'poll_max_ns' must be an integer
aio.context{max_batch = 1 << 40}          max_batch is %d+, must be from
aio.context{thread_pool_max = 0}          max 0
ctx:release()                             release%(%) without acquire%(%)
ctx:enable_external()                     without disable_external
aio.context():close()                     clos
ctx:set()                                 #1 .*table expected
ctx:set{zz = 1}                           unknown option 'zz'
ctx:set{max_batch = -1}                   max_batch is %-1
ctx:set{fdmon = 5}                        unknown fdmon '5'
ctx:policy(5)                             #1 .*table expected
ctx:policy{}                              it would do nothing
ctx:policy{every = -1, decide = print}    'every' must be a number of seconds
ctx:policy{decide = 5}                    'decide' must be a function
ctx:policy{poll_ns = 5}                   'poll_ns' must be a function
ctx:policy{set = {zz = 5}}                unknown setting 'zz'
aio.policy.latency_target(5)              a table expected, got 5
aio.policy.latency_target{zz = 1}         unknown option 'zz'
aio.policy.latency_target{percentile = 200}  percentile must be a number
aio.policy.latency_target{max_ns = -1}    max_ns must be an integer above 0
aio.context{thread_pool_min = 5, thread_pool_max = 2}  min 5, max 2
# buffers and figures
aio.buf()                                 #1 .*number expected
aio.buf(-1)                               must not be negative, got %-1
aio.buf(1 << 60)                          not enough memory
aio.buf{size = 1, align = 3}              'align': a power of two
aio.buf{size = "zz"}                      option 'size': a size expected .*zz
aio.buf{}                                 'size' is required
buf:slice(-1)                             out of range
buf:slice(0, 65)                          out of range
buf:set(63, "xx")                         out of range
buf:fill(256)                             byte
buf:copy(0, 5)                            buf expected
buf:pack(0, "?")                          invalid format
buf:crc32c(1 << 62)                       out of range
buf:find(5, "x")                          number expected
aio.bufpool()                             #1 .*table expected
aio.bufpool{count = 0, size = 1}          'count': at least 1
aio.bufpool{count = -1, size = 1}         option 'count': a size expected
aio.bufpool{count = 1 << 50, size = 1}    at most 65536
pool:get("x")                             seconds expected
aio.size("zz")                            #1 .*size expected
aio.size(-1)                              #1 .*must not be negative
aio.clock("zz")                           #1 .*invalid option 'zz'
aio.errname("x")                          #1 .*number expected
hist:record(-1)                     cannot be negative
hist:record(NAN)                    out of range
hist:percentile(101)                0 to 100
hist:merge(5)                       aio.hist expected
buf:equal()                               #1 .*string expected
buf:is_zero(65)                           out of range
buf:is_zero("x")                          #1 .*number expected
buf:mismatch(5)                           #1 .*aio.buf expected
buf:tostring(0, -1)                       out of range
buf:unpack(63, "I4")                      out of range
buf:unpack(0, "?")                        invalid format
buf:set(0, {})                            #2 .*string expected
aio.buf{size = 1, zz = 1}                 unknown option 'zz'
aio.bufpool{count = 1}                    'size': at least 1
pool:get(-1)                              must not be negative
hist:record()                             #1 .*number expected
hist:record(1, -1)                        cannot be negative
hist:percentile(-1)                       0 to 100
hist:summary({})                          #1 .*string expected
# waiting for each other
sync.chan(-1)                             must not be negative
chan:put()                                cannot carry nil
chan:put(1, "x")                          seconds expected
sync.sem()                                number expected
sync.sem(-1)                              must not be negative
sem:acquire(NAN)                          NaN
mutex:unlock()                            not locked
mutex:lock(-1)                            must not be negative
rwlock:unlock()                           not locked by this task
rwlock:upgrade()                          not locked by this task
rwlock:downgrade()                        not locked by this task
cond:wait(mutex)                          mutex is not locked
cond:wait(5)                              mutex expected
event:wait("x")                           seconds expected
sync.latch(-1)                            must not be negative
latch:count_down(2)                       counted down by 2, but 1 is left
sync.rate(0)                              limit must be a positive number
sync.rate(1, "x")                         burst must be a positive number
rate:take("x")                            units must be a positive number
rate:take(1, "x")                         wait: .*seconds expected, got "x"
rate:take(1, NAN)                         wait: .*seconds expected, got %-?nan
rate:take(1, {timeout = -1})              wait: .*seconds expected, got %-1
sync.chan("x")                            #1 .*number expected
chan:get("x")                             seconds expected
chan:get(-1)                              must not be negative
chan:try_put()                            cannot carry nil
sem:acquire("x")                          seconds expected
mutex:guard("x")                          seconds expected
rwlock:rdlock("x")                        seconds expected
rwlock:wrlock(-1)                         must not be negative
rwlock:rdguard("x")                       seconds expected
rwlock:wrguard(NAN)                       NaN
rwlock:upgrade("x")                       seconds expected
event:wait(-1)                            must not be negative
latch:wait("x")                           seconds expected
latch:count_down("x")                     #1 .*number expected
rate:set(-1)                              limit must be a positive number
rate:set(1, 0)                            burst must be a positive number
rate:try_take("x")                        units must be a positive number
# threads
aio.iothread({})                          #1 .*string expected
aio.iothread("a\0b")                      #1 .*zeros
aio.iothread("x", 5)                      #2 .*table expected
aio.iothread("x", {init = 5})             option 'init'
aio.iothread("x", {affinity = "x"})       option 'affinity'
aio.iothread("x", {affinity = 1 << 20})   processor 1048576
aio.iothread("x", {fdmon = "zz"})         no fd monitor 'zz'
thread:call()                             function expected
thread:call(print, {io.stdout})           arg 1%[1%]: a userdata
thread:channel(-1)                        must not be negative
aio.iothread("x", {zz = 1})               unknown option 'zz'
thread:call(5)                            #1 .*function expected
# files
file.open()                               #1 .*string expected
file.open("a\0b")                         #1 .*must not contain zeros
file.open("x", "zz")                      #2 .*invalid mode
file.open("x", "r", 5)                    #3 .*table expected
file.open("x", "r", {direct = 5})         option 'direct'
file.open("x", "r", {engine = "zz"})      unknown file engine 'zz'
file.open("x", "w", {perm = "x"})         option 'perm': a size expected
file.open("none/x", "w")                  -> ENOENT
file.stat({})                             #1 .*string expected
file.stat("a\0b")                         #1 .*must not contain zeros
file.unlink("a\0b")                       #1 .*must not contain zeros
file.rename("a", "b\0c")                  #2 .*must not contain zeros
file.mkdir("none/x", -1)                  #2 .*permissions
file.readdir("a\0b")                      #1 .*must not contain zeros
file.readlink("a\0b")                     #1 .*must not contain zeros
file.chmod("a\0b", 0)                     #1 .*must not contain zeros
file.chmod("x", 4096)                     #2 .*permissions
file.chmod("x")                           #2 .*number expected
file.utime("x", "y")                      #2 .*number expected
file.utime("x", nil, 1/0)                 #3 .*seconds since 1970
file.utime("x", 0/0)                      #2 .*seconds since 1970
file.watch()                              #1 .*string expected
file.watch(".", {events = {"zz"}})        unknown event 'zz'
watch:add("a\0b")                         must not contain zeros
watch:next("x")                           seconds expected
file.copy()                               two paths expected
file.copy("a", "b", 5)                    options: a table expected, got 5
file.copy("a", "b", {depth = -1})         'depth': a positive integer
file.copy("a", "b", {block = 0})          'block': more than 0
file.copy("a", "b", {zz = 1})             unknown option 'zz'
f:pread()                                 expected
f:pread(1)                                number expected
f:pread(1, -1)                            negative
f:pread(1, 0, "x")                        seconds expected
f:preadv({}, 0)                           empty
f:pwrite(5, 0)                            expected
f:truncate(-1)                            negative
f:chmod(-1)                               permissions
f:advise("zz")                            invalid option 'zz'
f:lock("zz")                              invalid option 'zz'
f:lock("shared", "x")                     timeout: .*seconds
f:lock("shared", {zz = 1})                unknown option 'zz'
f.lines(5)                                aio.file expected
file.readdir()                            #1 .*string expected
file.link("a", "b\0c")                    #2 .*must not contain zeros
file.link("a")                            #2 .*string expected
file.symlink("a\0b", "c")                 #1 .*must not contain zeros
file.lstat({})                            #1 .*string expected
file.rmdir({})                            #1 .*string expected
file.tmp(".", {zz = 1})                   unknown option 'zz'
file.tmp("a\0b")                          #1 .*must not contain zeros
file.watch(".", {zz = 1})                 unknown option 'zz'
f:allocate()                              #1 .*number expected
f:allocate(-1, 10)                        offset must not be negative
f:allocate(0, 0)                          length must be positive
f:punch(-1, 1)                            offset must not be negative
f:punch(0, -1)                            length must be positive
f:zero(0, -1)                             length must be positive
f:discard(-1, 1)                          offset must not be negative
f:copy_range(0, 5, 0, 1)                  #2 .*aio.file expected
f:copy_range(0, f, -1, 1)                 #3 .*must not be negative
f:fdatasync("x")                          seconds expected
f:fsync(-1)                               must not be negative
f:nop("x")                                seconds expected
f:pwritev({}, 0)                          empty
f:pwritev({5}, 0)                         item 1 of the list
f:read()                                  count, buffer or list
f:read(-1)                                must not be negative
f:read_exact(1, -1)                       must not be negative
f:seek_data(-1)                           offset must not be negative
f:seek_hole("x")                          #1 .*number expected
f:splice(0, "x", nil, 1)                  #2 .*descriptor expected
f:splice(-1, f, nil, 1)                   offset must not be negative
f:splice(0, f, nil, 1)                    -> EINVAL
f:try_lock("zz")                          invalid option 'zz'
f:try_lock("shared", -1)                  offset must not be negative
f:unlock("x")                             #1 .*number expected
f:write(5)                                string, buffer or list
f:write_all("x", -1)                      must not be negative
# sockets
net.listen()                              an address expected
net.listen("zz")                          expected "tcp:HOST:PORT"
net.listen("tcp:x:99999")                 a port is a number from 0 to 65535
net.listen{host = 5, port = 1}            a host is a string
net.listen{host = "::1", port = 1, type = "zz"}  type: "stream"
net.listen("tcp:127.0.0.1:0", {backlog = -1})    'backlog': a positive integer
net.listen("tcp:127.0.0.1:0", {backlog = "x"})   'backlog': a positive integer
net.listen("unix:x", {perm = -1})         'perm': permissions
net.listen("tcp:127.0.0.1:0", {family = "x"})    'family': "ipv4" or "ipv6"
net.listen("tcp:127.0.0.1:0", {tls = 5})  'tls': true or a table
net.dial("tcp:127.0.0.1:1", {timeout = "x"})  'timeout': non%-negative seconds
net.dial("tcp:127.0.0.1:1", -1)           'timeout': non%-negative seconds
net.dial("tcp:127.0.0.1:1", NAN)          'timeout': non%-negative seconds
net.dial("tcp:127.0.0.1:1", {attempt = "x"})  'attempt': non%-negative seconds
net.dial("tcp:a\0b:1")                    a host is a string without zeros
net.dial("unix:a\0b")                     zeros
net.dial("tcp:127.0.0.1:1")               -> ECONNREFUSED
net.udp("tcp:127.0.0.1:0")                a datagram address expected
net.pair("zz")                            invalid option 'zz'
net.wrap("x")                             descriptor expected
net.wrap(9999)                            -> EBADF
net.resolve()                             the name of a host expected
net.resolve("a\0b")                       host: a string without zeros
net.resolve("x", 5)                       options: a table expected
net.resolve("x", {family = 5})            'family': "ipv4" or "ipv6"
net.resolve("x", {timeout = -1})          'timeout': non%-negative seconds
net.address("tcp:localhost:1")            a name; net.resolve
sock:recv("x")                            count or buffer expected
sock:recv(0)                              a count must be positive
sock:recv(1, "x")                         seconds expected
sock:recv_exact()                         number expected
sock:recv_line{max = "zz"}                option 'max': a size expected
sock:recv_line{zz = 1}                    unknown option 'zz'
sock:send()                               string, buffer or list
sock:send({5})                            item 1 of the list
sock:accept()                             a listening socket expected
sock:shutdown("x")                        invalid option 'x'
sock:option("zz")                         unknown option 'zz'
sock:option("error", 5)                   can only be read
sock:option("sndbuf", 1 << 40)            out of range
sock:sendto("x", 5)                       aio.address expected
sock:sendfd("x")                          descriptor expected
sock:sendfd({9999})                       -> EBADF
sock:recvfd(0)                            1 to 65536
sock:starttls(5)                          options: a table expected, got 5
sock:starttls{timeout = "x"}              'timeout': non%-negative seconds
sock:starttls{zz = 1}                     unknown option 'zz'
sock.lines(5)                             aio.socket expected
sock.chunks(5)                            aio.socket expected
sock.accepts(5)                           aio.socket expected
sock:recvfrom("x")                        a datagram socket expected
sock:recvfrom(1, -1)                      must not be negative
sock:handshake("x")                       seconds expected
sock:try_recv(0)                          a count must be positive
sock:try_send()                           string, buffer or list
sock:option("nodelay", "x")               #2 .*boolean expected
net.dial("tcp:127.0.0.1:1", {zz = 1})     unknown option 'zz'
net.listen("tcp:127.0.0.1:0", {zz = 1})   unknown option 'zz'
net.udp("127.0.0.1:0", {zz = 1})          unknown option 'zz'
net.resolve("x", {zz = 1})                unknown option 'zz'
# processes
proc.spawn()                              a list of the program
proc.spawn("ls")                          a list of the program
proc.spawn{"true", {}}                    argument 2: a string
proc.spawn{"true", "a\0b"}                argument 2: a string without zeros
proc.spawn{"true", stdin = "zz"}          stdin: .*got "zz"
proc.spawn{"true", stdin = {}}            stdin: a descriptor expected
proc.spawn{"true", env = 5}               'env': a table expected, got 5
proc.spawn{"true", env = {5}}             '1' is no name of a variable
proc.spawn{"true", cwd = {}}              'cwd': a string
proc.spawn{"true", cwd = "/none"}         -> ENOENT
proc.spawn{"no-such-program"}             -> ENOENT
proc.run({"true"}, 5)                     options: a table expected
proc.run({"true"}, {input = 5})           'input': a string, a buffer
proc.run({"true"}, {input = {}})          'input': a string, a buffer
proc.run({"true"}, {timeout = -1})        'timeout': non%-negative seconds
proc.run({"true"}, {max = "zz"})          size expected
proc.run({"true"}, {input = "x", stdin = "null"})  leave out 'stdin'
process:wait(-1)                          must not be negative
process:kill("ZZ")                        unknown signal 'ZZ'
process:kill(1000)                        no signal has this number
process.wait(5)                           aio.process expected
proc.run()                                a list of the program
proc.run({"true"}, {zz = 1})              unknown option 'zz'
proc.spawn{"true", zz = 1}                unknown option 'zz'
]=]

local calls = {}
for line in text:gmatch("[^\n]+") do
  local call, message = line:match("^(%S.-)  +(%S.*)$")
  if call and not line:find("^# ") then
    calls[#calls + 1] = {
      code = call:gsub("NAN", NAN), message = message:gsub("^#", "argument #"),
      errno = message:match("^%-> (%u+)$"),
    }
  end
end

return calls
