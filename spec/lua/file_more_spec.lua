-- aio.file beyond reading and writing: ranges, pipes, locks, watches, copies

local aio = require "aio"
local file = require "aio.file"
local errno = aio.errno

local TIMEOUT <const> = { nil, "timeout", errno.ETIMEDOUT }
local folder

local function write(name, contents)
  local path = folder .. "/" .. name
  local f <close> = assert(io.open(path, "wb"))
  f:write(contents)
  return path
end

local function read(path)
  local f <close> = assert(io.open(path, "rb"))
  return f:read("a")
end

before_each(function()
  folder = os.tmpname()
  os.remove(folder)
  assert(file.mkdir(folder))
end)

after_each(function()
  for _, name in ipairs(assert(file.readdir(folder))) do
    assert(file.unlink(folder .. "/" .. name))
  end
  assert(file.rmdir(folder))
end)

describe("file:copy_range", function()
  it("copies between offsets, up to the end of the file", function()
    local from <close> = assert(file.open(write("a", "0123456789"), "r"))
    local to <close> = assert(file.open(write("b", "xxxxxxxxxx"), "r+"))
    assert.equal(4, from:copy_range(2, to, 5, 4))
    assert.equal("xxxxx2345x", read(folder .. "/b"))
    assert.equal(3, from:copy_range(7, to, 10, "1k"))
    assert.equal("xxxxx2345x789", read(folder .. "/b"))
    assert.equal(0, from:copy_range(10, to, 0, 10))
    assert.equal(0, from:copy_range(0, to, 0, 0))
  end)

  it("copies more than one chunk, also to another file system", function()
    local size = (40 << 20) + 13
    local from <close> = assert(file.tmp(folder))
    local pattern = aio.buf(1 << 20)
    for off = 0, size - 1, #pattern do
      pattern:fill(off >> 20 & 255)
      from:write_all(pattern, off)
    end
    for _, place in ipairs { folder, "/dev/shm" } do
      local to <close> = assert(file.tmp(place))
      assert.equal(size, from:copy_range(0, to, 0, size))
      assert.equal(size, to:size())
      local a, b = aio.buf(4096), aio.buf(4096)
      for _, off in ipairs { 0, (32 << 20) - 7, size - 4096 } do
        from:read_exact(a, off)
        to:read_exact(b, off)
        assert.is_true(a:equal(b))
      end
    end
  end)

  it("names files, offsets and the cause of errors", function()
    local from <close> = assert(file.open(write("a", "data"), "r"))
    local n, message, code = from:copy_range(1, from, 9, 3)
    assert.same({ nil, errno.EBADF }, { n, code })
    assert.matches("a at offset 1 to .*a at offset 9 %(copy_range%)", message)
    assert.error_matches(function() from:copy_range(-1, from, 0, 1) end,
      "must not be negative")
    assert.error_matches(function() from:copy_range(0, "x", 0, 1) end,
      "aio.file expected")
    local closed = assert(file.open(folder .. "/a"))
    closed:close()
    assert.error_matches(function() from:copy_range(0, closed, 0, 1) end,
      "the file is closed")
  end)
end)

describe("file:splice", function()
  it("moves from a file to a pipe and back", function()
    local from <close> = assert(file.open(write("a", "hello world"), "r"))
    local pipe <close> = assert(io.popen("cat >" .. folder .. "/b", "w"))
    assert.equal(5, from:splice(6, pipe, nil, 100))
    pipe:close()
    assert.equal("world", read(folder .. "/b"))
    local source <close> = assert(io.popen("printf abc; sleep 0.01; printf d"))
    local handler = aio.fd(source, {})
    local end_of_pipe <close> = assert(file.open(
      "/proc/self/fd/" .. handler:fd(), "r"))
    handler:close()
    local to <close> = assert(file.open(folder .. "/c", "w"))
    local off = 0
    repeat
      local n = assert(end_of_pipe:splice(nil, to, off, 100, 5))
      off = off + n
    until n == 0
    assert.equal("abcd", read(folder .. "/c"))
  end)

  it("waits no longer than it may, for data and for room", function()
    assert(os.execute("mkfifo " .. folder .. "/fifo"))
    local reader = aio.spawn(file.open, folder .. "/fifo", "r")
    local writer <close> = assert(file.open(folder .. "/fifo", "w"))
    local pipe <close> = assert(reader:join(5))
    local data <close> = assert(file.open(write("a", ("x"):rep(1 << 17)), "r+"))
    assert.same(TIMEOUT, { pipe:splice(nil, data, 0, 10, 0.002) })
    local moved = 0
    repeat
      local n = data:splice(0, writer, nil, 1 << 16, 0.002)
      moved = moved + (n or 0)
    until not n
    assert.is_true(moved >= 4096)
    local _, message = data:splice(0, writer, nil, 1, 0.001)
    assert.equal("timeout", message)
  end)

  it("says that one end has to be a pipe", function()
    local from <close> = assert(file.open(write("a", "x"), "r"))
    local to <close> = assert(file.open(folder .. "/b", "w"))
    local n, message, code = from:splice(0, to, 0, 1)
    assert.same({ nil, errno.EINVAL }, { n, code })
    assert.matches("one of both ends has to be a pipe", message)
  end)
end)

describe("file:lock", function()
  local a, b

  before_each(function()
    a = assert(file.open(write("a", "data"), "r+"))
    b = assert(file.open(folder .. "/a", "r+"))
  end)

  after_each(function()
    a:close()
    b:close()
  end)

  it("excludes other files until it is closed", function()
    local lock = assert(a:lock("exclusive"))
    assert.same(TIMEOUT, { b:lock("shared", 0.002) })
    local waits = aio.spawn(b.lock, b, "exclusive", { timeout = 5 })
    aio.sleep(0.003)
    assert.not_equal("done", waits:status())
    assert.is_true(lock:unlock())
    assert.is_true(lock:unlock())
    waits:join():close()
    do
      local _ <close> = assert(a:lock("shared"))
      assert(b:lock("shared", 0)):close()
      assert.is_false(b:try_lock("exclusive"))
    end
    assert.is_true(b:try_lock("exclusive"))
    assert.is_true(b:unlock())
  end)

  it("locks ranges apart from each other", function()
    local low <close> = assert(a:lock("exclusive", { offset = 0, length = 2 }))
    local high <close> = assert(b:lock("exclusive", { offset = 2, length = 2 }))
    assert.is_truthy(low and high)
    assert.is_false(b:try_lock("shared", 1, 1))
  end)

  it("gives up when it is cancelled", function()
    local lock <close> = assert(a:lock("exclusive"))
    local waits = aio.spawn(b.lock, b, "exclusive")
    aio.sleep(0.002)
    waits:cancel()
    local ok, err = waits:pjoin()
    assert.is_false(ok)
    assert.is_true(aio.is_cancelled(err))
    assert.is_truthy(lock)
  end)

  it("says what is wrong", function()
    local readonly <close> = assert(file.open(folder .. "/a", "r"))
    local ok, message, code = readonly:lock("exclusive")
    assert.same({ nil, errno.EBADF }, { ok, code })
    assert.matches("needs a file that is open for writing", message)
    assert.error_matches(function() a:lock("x") end, "invalid option 'x'")
    assert.error_matches(function() a:lock("shared", { tiemout = 1 }) end,
      "unknown option 'tiemout'")
    assert.error_matches(function() a:lock("shared", -1) end,
      "seconds expected, got %-1")
    assert.error_matches(function() a:try_lock("shared", -1) end, "negative")
  end)

  it("takes advice about ranges", function()
    for _, what in ipairs { "normal", "sequential", "random", "willneed",
      "dontneed", "noreuse" } do
      assert.is_true(a:advise(what, 0, 2))
    end
    assert.is_true(a:advise("willneed"))
    assert.error_matches(function() a:advise("maybe") end, "invalid option")
  end)
end)

describe("file.watch", function()
  it("tells what happens in a folder, in order", function()
    local watch <close> = assert(file.watch(folder))
    write("a", "x")
    assert(file.rename(folder .. "/a", folder .. "/b"))
    assert(file.unlink(folder .. "/b"))
    local seen, cookies = {}, {}
    repeat
      local event = assert(watch:next(5))
      assert.equal(folder, event.path)
      seen[#seen + 1] = event.kind .. " " .. event.name
      cookies[event.kind] = event.cookie
    until event.kind == "delete"
    assert.same({ "create a", "modify a", "close_write a", "moved_from a",
      "moved_to b", "delete b" }, seen)
    assert.equal(cookies.moved_from, cookies.moved_to)
    assert.same(TIMEOUT, { watch:next(0.001) })
  end)

  it("waits beside other tasks, and in select", function()
    local watch <close> = assert(file.watch(folder, { events = { "create" } }))
    local task = aio.spawn(function()
      return (watch:iter())(watch).name
    end)
    aio.sleep(0.001)
    write("a", "x")
    assert.equal("a", task:join(5))
    aio.after(0.001, function() write("b", "") end)
    assert.same({ 1, "r" }, { aio.select({ watch }, 5) })
    assert.equal("b", watch:next().name)
    assert.is_true(watch:add(write("c", "")))
    assert.equal("c", watch:next(1).name)
    task = aio.spawn(watch.next, watch)
    aio.sleep(0.001)
    task:cancel()
    assert.is_false((task:pjoin(5)))
  end)

  it("says what is wrong", function()
    local watch, message, code = file.watch(folder .. "/none")
    assert.same({ nil, errno.ENOENT }, { watch, code })
    assert.matches("/none %(watch%)", message)
    assert.error_matches(function()
      file.watch(folder, { events = { "x" } })
    end, "unknown event 'x'")
    assert.error_matches(function() file.watch(folder, { events = {} }) end,
      "list of names expected")
    assert.error_matches(function() file.watch(folder, { kinds = {} }) end,
      "unknown option")
    watch = assert(file.watch(folder))
    watch:close()
    watch:close()
    assert.error_matches(function() watch:next() end, "the watch is closed")
  end)
end)

describe("file.copy", function()
  it("copies a whole file and tells its size", function()
    local from = write("a", ("x"):rep(100000))
    assert.equal(100000, file.copy(from, folder .. "/b"))
    assert.equal(read(from), read(folder .. "/b"))
    assert.equal(100000, file.copy(from, folder .. "/c",
      { depth = 2, block = "4k", direct = false }))
    assert.equal(read(from), read(folder .. "/c"))
  end)

  it("returns what went wrong", function()
    local n, message, code = file.copy(folder .. "/none", folder .. "/b")
    assert.same({ nil, errno.ENOENT }, { n, code })
    assert.matches("/none", message)
    assert.error_matches(function() file.copy("a", "b", { dept = 1 }) end,
      "unknown option 'dept'")
    assert.error_matches(function() file.copy("a") end, "two paths expected")
  end)
end)

describe("standard streams", function()
  it("are files that stay open when they are closed", function()
    local out = file.stdout()
    assert.equal("stdout", out.path)
    assert.equal(1, out.fd)
    assert.is_true(out:close())
    assert.is_true(out:close())
    local again <close> = file.stdout()
    assert.equal(1, again.fd)
    local err <close> = file.stderr()
    assert.equal(2, err.fd)
  end)

  it("are read and written without holding up the loop, on every engine",
    function()
      local flag = folder .. "/ticked"
      local script = write("s.lua", [[
        local aio, file = require "aio", require "aio.file"
        local input, out = file.stdin(), file.stdout()
        local _, timeout = input:read(10, 0.005)
        local ticks = 0
        local every = aio.every(0.001, function()
          ticks = ticks + 1
          if ticks == 4 then io.open(arg[1], "w"):close() end
        end)
        for line in input:lines() do out:write(line:upper() .. "\n") end
        every:cancel()
        out:write(timeout .. "\n")]])
      -- says nothing before the loop has ticked; gives up after four seconds
      local feeder = ("for _ in $(seq 200); do [ -e %s ] && echo one && " ..
        "echo two && break; sleep 0.02; done"):format(flag)
      for _, engine in ipairs { "io_uring", "linux_aio", "threads" } do
        local pipe <close> = assert(io.popen(
          ("(%s) | %s --engine %s %s %s"):format(feeder, os.getenv("AIOCTL"),
            engine, script, flag)))
        assert.equal("ONE\nTWO\ntimeout\n", pipe:read("a"))
        os.remove(flag)
      end
    end)
end)
