-- Files of the io_uring engine in the ring's table of registered files

local aio = require "aio"
local file = require "aio.file"

local path

local function stat(name)
  return aio.context():stats()[name]
end

local function open(options)
  options = options or {}
  options.engine = options.engine or "io_uring!"
  local f, message = file.open(path, "r+", options)
  if not f and message:find("io_uring") then
    pending(message)
  end
  return assert(f, message)
end

local function use(f, times)
  for _ = 1, times do
    assert.equal("abc", f:pread(3, 0))
  end
end

describe("a registered file", function()
  before_each(function()
    path = os.tmpname()
    local f <close> = assert(io.open(path, "wb"))
    f:write("abc")
  end)
  after_each(function()
    os.remove(path)
  end)

  it("is one that has been used a few times", function()
    local before = stat("registered_files")
    local f = open()
    use(f, 1)
    assert.is_false(f.registered)
    use(f, 20)
    assert.is_true(f.registered)
    assert.equal(before + 1, stat("registered_files"))
    assert.is_true(f:fdatasync())
    assert.is_true(f:nop())
    assert.equal(3, f:pwrite("xyz", 0))
    assert.equal("xyz", f:pread(3, 0))
    f:close()
    assert.is_false(f.registered)
    assert.equal(before, stat("registered_files"))
  end)

  it("is registered at once or never if that is asked for", function()
    local now <close> = open { register = true }
    use(now, 1)
    assert.is_true(now.registered)
    local never <close> = open { register = false }
    use(never, 20)
    assert.is_false(never.registered)
    assert.error_matches(function() open { register = 1 } end,
      "option 'register': a boolean expected, got number")
  end)

  it("belongs to the io_uring engine", function()
    local before = stat("registered_files")
    local f <close> = open { engine = "threads", register = true }
    use(f, 20)
    assert.is_false(f.registered)
    assert.equal(before, stat("registered_files"))
  end)

  it("is no standard stream and no pipe", function()
    local out = file.stdout()
    out:nop()
    assert.is_false(out.registered)
    out:close()
    os.remove(path)
    assert(os.execute("mkfifo " .. path))
    local f <close> = open { register = true }
    assert.equal(1, f:write("x"))
    assert.is_false(f.registered)
  end)

  it("gives its slot up when it is collected or cancelled", function()
    local before = stat("registered_files")
    do
      local f <close> = open { register = true }
      use(f, 1)
      assert.equal(before + 1, stat("registered_files"))
    end
    assert.equal(before, stat("registered_files"))
    warn("@off")
    use(open { register = true }, 1)
    collectgarbage()
    collectgarbage()
    warn("@on")
    assert.equal(before, stat("registered_files"))
  end)

  it("keeps its slot until the last operation in flight has ended", function()
    local f = open { register = true }
    use(f, 1)
    local tasks = {}
    for i = 1, 8 do
      tasks[i] = aio.spawn(f.pread, f, 3, 0)
    end
    local closer = aio.spawn(f.close, f)
    for _, task in ipairs(tasks) do
      local got = table.pack(task:pjoin())
      if got[1] then -- else it had not begun before the file was closed
        assert.equal("abc", got[2])
      end
    end
    assert.is_true(closer:join())
    assert.is_false(f.registered)
  end)

  it("holds no lock or disk space once it is closed", function()
    local f = open { register = true }
    use(f, 1)
    assert.is_true(f:try_lock("exclusive"))
    f:close()
    local again <close> = open()
    assert.is_true(again:try_lock("exclusive"))
  end)

  it("never answers for a file that got its number later", function()
    for i = 0, 40 do
      local text = ("%03d"):format(i)
      do
        local w <close> = assert(io.open(path, "wb"))
        w:write(text)
      end
      local f <close> = open { register = i % 2 == 0 }
      assert.equal(text, f:pread(3, 0))
    end
  end)

  it("goes on without when all slots are taken", function()
    local failures = stat("registration_failures")
    local files, missed = {}, 0
    for i = 1, 1100 do
      local f = file.open(path, "r", { engine = "io_uring!", register = true })
      if not f then -- descriptors ran out first
        break
      end
      files[i] = f
      use(f, 2)
      missed = missed + (f.registered and 0 or 1)
    end
    assert.equal(failures + missed, stat("registration_failures"))
    for _, f in ipairs(files) do
      f:close()
    end
    if #files < 1100 then
      pending("too few descriptors to fill the table")
    end
    assert.is_true(missed > 0)
  end)

  it("is looked up by number in another context", function()
    local f <close> = open { register = true }
    use(f, 1)
    local ctx <close> = aio.context {}
    local before = stat("registered_files")
    local got
    aio.bh(function() got = ctx:stats().registered_files end):schedule()
    aio.yield()
    use(f, 1)
    assert.equal(0, got)
    assert.equal(before, stat("registered_files"))
  end)
end)
