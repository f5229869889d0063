-- aio.file on every engine, its errors, alignment, closing and timeouts

local aio = require "aio"
local file = require "aio.file"
local errno = aio.errno

local folder, path

-- A file system that takes O_DIRECT is not to be taken for granted.
local function open_direct(name, mode)
  local f, message, err = file.open(name, mode, { direct = true })
  if not f and err == errno.EINVAL then
    pending("no O_DIRECT here: " .. message)
  end
  return assert(f, message)
end

local function write(name, contents)
  local f <close> = assert(io.open(name, "wb"))
  f:write(contents)
end

local function read(name)
  local f <close> = assert(io.open(name, "rb"))
  return f:read("a")
end

describe("aio.file", function()
  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(file.mkdir(folder))
    path = folder .. "/file"
  end)

  after_each(function()
    for _, name in ipairs(assert(file.readdir(folder))) do
      assert(file.unlink(folder .. "/" .. name))
    end
    assert(file.rmdir(folder))
  end)

  for _, engine in ipairs { "auto", "io_uring", "linux_aio", "threads" } do
    describe("with engine " .. engine, function()
      it("writes and reads at offsets", function()
        local f <close> = assert(file.open(path, "w+", { engine = engine }))
        assert.equal(5, f:pwrite("hello", 10))
        assert.equal("hello", f:pread(5, 10))
        assert.equal(("\0"):rep(10) .. "hello", f:pread(100, 0))
        assert.equal("", f:pread(100, 15))
        local buf = aio.buf(8):fill("x")
        assert.equal(5, f:pread(buf, 10))
        assert.equal("helloxxx", buf:tostring())
        assert.equal(0, f:pread(buf, 1000))
        assert.equal(3, f:pwrite(buf:slice(5, 3), 15))
        assert.is_true(f:fsync())
        assert.is_true(f:fdatasync())
        assert.equal(18, f:size())
      end)

      it("transfers lists of buffers", function()
        local f <close> = assert(file.open(path, "w+", { engine = engine }))
        local a, b = aio.buf(3):set(0, "abc"), aio.buf(4):set(0, "defg")
        assert.equal(9, f:pwritev({ a, "--", b }, 0))
        assert.equal("abc--defg", read(path))
        assert.equal(7, f:pread({ b, a }, 0))
        assert.equal("abc-", b:tostring())
        assert.equal("-de", a:tostring())
        assert.equal(7, f:preadv({ b, a }, 2))
        assert.has_error(function() f:preadv({}, 0) end)
        assert.has_error(function() f:preadv({ "string" }, 0) end)
      end)

    end)

    describe("with engine " .. engine, function()
      it("reads exactly or says how much there was", function()
        write(path, "0123456789")
        local f <close> = assert(file.open(path, "r", { engine = engine }))
        assert.equal("234", f:read_exact(3, 2))
        local got, message, err = f:read_exact(20, 4)
        assert.is_nil(got)
        assert.equal(errno.ENODATA, err)
        assert.matches("6 of 20", message)
        assert.matches(path, message, 1, true)
      end)

    end)

    describe("with engine " .. engine, function()
      it("serves many tasks at once", function()
        local f <close> = assert(file.open(path, "w+", { engine = engine }))
        aio.group(function(g)
          for i = 0, 31 do
            g:spawn(function()
              local buf <close> = aio.buf(4096):fill(i)
              assert.equal(4096, f:write_all(buf, i * 4096))
            end)
          end
        end)
        aio.group(function(g)
          for i = 31, 0, -1 do
            g:spawn(function()
              assert.equal(string.char(i):rep(4096), f:pread(4096, i * 4096))
            end)
          end
        end)
      end)

      it("moves aligned blocks with O_DIRECT", function()
        local f <close> = open_direct(path, "w+")
        local buf = aio.buf { size = 8192, align = math.max(4096, f.align) }
        buf:fill("d")
        assert.equal(8192, f:write_all(buf, 0))
        buf:fill(0)
        assert.equal(8192, f:read_exact(buf, 0))
        assert.equal(("d"):rep(8192), buf:tostring())
        assert.equal(("d"):rep(4096), f:pread(4096, 4096))
        assert.equal(4096, f:pwrite(("s"):rep(4096), 8192))
      end)
    end)
  end

  it("names what is misaligned, and the alignment", function()
    local f <close> = open_direct(path, "w+")
    local align = f.align
    if align < 2 then
      pending("everything is aligned here")
    end
    local buf = aio.buf(4 * align)
    local cases = {
      offset = { buf, 1 },
      length = { buf:slice(0, align + 1), 0 },
    }
    for word, case in pairs(cases) do
      local n, message, err = f:pwrite(case[1], case[2])
      assert.is_nil(n)
      assert.equal(errno.EINVAL, err)
      assert.matches(word, message)
      assert.matches(tostring(f.align), message)
      assert.matches(path, message, 1, true)
    end
  end)

  it("knows its fields", function()
    local f = assert(file.open(path, "w"))
    assert.equal(path, f.path)
    assert.equal("integer", math.type(f.fd))
    assert.equal(1, f.align)
    assert.equal("string", type(f.engine))
    assert.is_false(f.direct)
    assert.is_nil(f.no_such_field)
    f:close()
    assert.equal(-1, f.fd)
  end)

  it("reports errors with name, path and call", function()
    local f, message, err = file.open(folder .. "/none")
    assert.is_nil(f)
    assert.equal(
      ("ENOENT: No such file or directory: %s/none (open)"):format(folder),
      message)
    assert.equal(errno.ENOENT, err)
    assert.equal(errno.EISDIR, select(3, file.open(folder)))
    write(path, "x")
    local r <close> = assert(file.open(path, "r"))
    local n
    n, message, err = r:pwrite("x", 0)
    assert.is_nil(n)
    assert.equal(errno.EBADF, err)
    assert.matches("pwrite", message)
    assert.equal(errno.EEXIST,
      select(3, file.open(path, "w", { excl = true })))
  end)

  it("says what the mode forbids, and that O_DIRECT is refused", function()
    local f <close> = assert(file.open(path, "w"))
    local ok, message, err = f:pread(1, 0)
    assert.is_nil(ok)
    assert.matches("EBADF.*not open for reading %(pread%)", message)
    assert.equal(errno.EBADF, err)
    local r <close> = assert(file.open(path))
    assert.matches("not open for writing", select(2, r:pwrite("x", 0)))
    ok, message, err = file.open("/proc/version", "r", { direct = true })
    assert.is_nil(ok)
    assert.matches("/proc/version: the file system has no O_DIRECT", message)
    assert.equal(errno.EINVAL, err)
  end)

  it("names the offset where the device is full", function()
    local f <close> = assert(file.open("/dev/full", "w"))
    local n, message, err = f:write_all(("x"):rep(8192), 4096)
    assert.is_nil(n)
    assert.equal(errno.ENOSPC, err)
    assert.matches("/dev/full at offset 4096", message)
  end)

  it("opens in the modes of io.open", function()
    write(path, "old")
    local a = assert(file.open(path, "a"))
    assert.equal(3, a:pwrite("new", 0)) -- appends, as O_APPEND does
    a:close()
    assert.equal("oldnew", read(path))
    assert(file.open(path, "r+b")):close()
    assert.equal("oldnew", read(path))
    assert(file.open(path, "w")):close()
    assert.equal("", read(path))
    assert.has_error(function() file.open(path, "rw") end)
    assert.error_matches(function()
      file.open(path, "r", { dirct = true })
    end, "direct")
    assert(file.open(folder .. "/new", "r+", { create = true, perm = 384 }))
      :close()
    assert.equal(384, file.stat(folder .. "/new").perm)
  end)

  it("refuses engines it does not know, before creating anything", function()
    assert.error_matches(function()
      file.open(path, "w", { engine = "warp" })
    end, "unknown file engine 'warp'")
    assert.is_nil(file.stat(path))
  end)

  it("truncates, allocates, punches and finds holes", function()
    local f <close> = assert(file.open(path, "w+"))
    assert.is_true(f:truncate(1 << 20))
    assert.equal(1 << 20, f:size())
    assert.equal(errno.ENXIO, select(3, f:seek_data(0)))
    assert.equal(5, f:pwrite("data!", 1 << 19))
    assert.equal(1 << 19, f:seek_data(0))
    assert.is_true(f:seek_hole(1 << 19) > 1 << 19)
    local ok, message, err = f:punch(1 << 19, 65536)
    if not ok and err == errno.EOPNOTSUPP then
      pending(message)
    end
    assert.is_true(ok)
    assert.equal(("\0"):rep(5), f:pread(5, 1 << 19))
    assert.has_error(function() f:truncate(-1) end)
  end)

  it("reads in sequence and by lines", function()
    local lines = {}
    for i = 1, 20000 do
      lines[i] = ("line %d"):format(i)
    end
    write(path, table.concat(lines, "\n"))
    local f <close> = assert(file.open(path))
    assert.equal("line 1", f:read(6))
    assert.equal("\n", f:read(1))
    local n = 1
    for line in f:lines() do
      n = n + 1
      assert.equal(lines[n], line)
    end
    assert.equal(20000, n)
    assert.equal("", f:read(10))
    write(path, "a\n\nb\n")
    local g <close> = assert(file.open(path))
    local got = {}
    for line in g:lines(true) do
      got[#got + 1] = line
    end
    assert.same({ "a\n", "\n", "b\n" }, got)
  end)

  it("writes in sequence", function()
    local f <close> = assert(file.open(path, "w"))
    assert.equal(4, f:write("one "))
    assert.equal(3, f:write("two"))
    assert.equal("one two", read(path))
  end)

  it("stats files and paths", function()
    write(path, "12345")
    local f <close> = assert(file.open(path))
    local st = f:stat()
    assert.equal("file", st.type)
    assert.equal(5, st.size)
    assert.equal(st.ino, file.stat(path).ino)
    assert.equal("directory", file.stat(folder).type)
    assert.equal("char", file.stat("/dev/null").type)
    assert.equal(errno.ENOENT, select(3, file.stat(path .. "x")))
    assert.is_true(math.abs(st.mtime - os.time()) < 60)
  end)

  it("renames, links and lists", function()
    write(path, "x")
    assert.is_true(file.rename(path, folder .. "/b"))
    assert.is_true(file.link(folder .. "/b", folder .. "/c"))
    assert.is_true(file.symlink("b", folder .. "/d"))
    assert.equal("link", file.lstat(folder .. "/d").type)
    local names = file.readdir(folder)
    table.sort(names)
    assert.same({ "b", "c", "d" }, names)
    assert.equal(errno.ENOTEMPTY, select(3, file.rmdir(folder)))
  end)

  it("tells where a link points, and sets permissions and times", function()
    write(path, "x")
    local link = folder .. "/link"
    assert.is_true(file.symlink("a long way/to nowhere", link))
    assert.equal("a long way/to nowhere", file.readlink(link))
    assert.equal(errno.EINVAL, select(3, file.readlink(path)))
    assert.is_true(file.chmod(path, 256))
    assert.equal(256, file.stat(path).perm)
    assert.equal(errno.ENOENT, select(3, file.chmod(link, 256)))
    assert.is_true(file.utime(path, 1.25, -0.5))
    assert.is_true(file.utime(path, nil, nil))
    assert.equal(1.25, file.stat(path).atime)
    assert.equal(-0.5, file.stat(path).mtime)
    assert.is_true(file.utime(link, 2, 3))
    assert.equal(3, file.lstat(link).mtime)
    assert.equal(errno.ENOENT, select(3, file.utime(folder .. "/none", 1, 1)))
  end)

  it("makes files without a name", function()
    local f, message, err = file.tmp(folder)
    if err == errno.EOPNOTSUPP then
      pending(message)
    end
    assert(f, message)
    assert.equal(3, f:pwrite("tmp", 0))
    assert.equal("tmp", f:pread(3, 0))
    f:close()
    assert.same({}, file.readdir(folder))
  end)

  it("is closed once, and raises when used afterwards", function()
    local f = assert(file.open(path, "w"))
    assert.is_true(f:close())
    assert.is_true(f:close())
    assert.error_matches(function() f:size() end, "closed")
    assert.error_matches(function() f:pwrite("x", 0) end, "closed")
  end)

  it("raises on wrong arguments", function()
    local f <close> = assert(file.open(path, "w+"))
    for _, g in ipairs {
      function() f:pread() end,
      function() f:pread(4) end,
      function() f:pread(-1, 0) end,
      function() f:pread(4, -1) end,
      function() f:pread("4k", 0) end,
      function() f:pwrite(12, 0) end,
      function() f:pwrite("x", 0, -1) end,
      function() f.pread({}, 4, 0) end,
      function() file.open() end,
    } do
      assert.has_error(g)
    end
    local closed = aio.buf(4)
    closed:close()
    assert.error_matches(function() f:pread(closed, 0) end, "closed")
  end)

  it("pins a buffer while it is in flight", function()
    local f <close> = assert(file.open(path, "w+"))
    local buf = aio.buf(1 << 20)
    local task = aio.spawn(function() return f:write_all(buf, 0) end)
    aio.yield()
    if task:status() == "parked" then
      assert.error_matches(function() buf:close() end, "in flight")
      assert.error_matches(function() buf:move() end, "in flight")
    end
    assert.equal(1 << 20, task:join())
    buf:close()
  end)

  it("closes only after the operations in flight", function()
    local f = assert(file.open(path, "w+"))
    local buf = aio.buf(1 << 20):fill("z")
    local task = aio.spawn(function() return f:write_all(buf, 0) end)
    aio.yield()
    assert.is_true(f:close())
    assert.equal(1 << 20, task:join())
    assert.equal(1 << 20, #read(path))
  end)

  describe("on a pipe that stays empty", function()
    local fifo

    before_each(function()
      fifo = folder .. "/fifo"
      assert(os.execute("mkfifo " .. fifo))
    end)

    -- Both ends, so that neither opening nor reading sees the other missing.
    local function open_pipe()
      local f = assert(file.open(fifo, "r+"))
      if f.engine ~= "io_uring" then
        f:close()
        pending("a thread in read(2) cannot be called back")
      end
      return f
    end

    it("a late read returns the timeout triple", function()
      local f <close> = open_pipe()
      local buf = aio.buf(16)
      local n, message, err = f:read(buf, 0.005)
      assert.is_nil(n)
      assert.equal("timeout", message)
      assert.equal(errno.ETIMEDOUT, err)
      buf:close() -- the kernel has let go of it
    end)

    it("a cancelled read ends, and its buffer is free", function()
      local f <close> = open_pipe()
      local buf = aio.buf(16)
      local task = aio.spawn(function() return f:read(buf) end)
      aio.sleep(0.001)
      task:cancel()
      local ok, err = task:pjoin()
      assert.is_false(ok)
      assert.is_true(aio.is_cancelled(err))
      buf:close()
    end)
  end)

  it("batches what several tasks issue", function()
    local f <close> = assert(file.open(path, "w+"))
    local results = table.pack(aio.batch(function()
      aio.group(function(g)
        for i = 0, 7 do
          g:spawn(function() assert.equal(1, f:pwrite("b", i)) end)
        end
      end)
      return "done", nil, 3
    end))
    assert.same({ "done", nil, 3, n = 3 }, results)
    assert.equal(("b"):rep(8), read(path))
    assert.error_matches(function()
      aio.batch(function() error("inside", 0) end)
    end, "^inside$")
    assert.equal("b", f:pread(1, 0)) -- the plug was pulled
  end)
end)
