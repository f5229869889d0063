-- aio.batch: what is submitted together, and what is linked

local aio = require "aio"
local file = require "aio.file"
local errno = aio.errno

local path

local function read()
  local f <close> = assert(io.open(path, "rb"))
  return f:read("a")
end

-- Spawns file[method](file, ...) for each {method, ...}; their results.
local function linked(f, calls)
  local results = {}
  aio.batch(function()
    local tasks = {}
    for i, call in ipairs(calls) do
      tasks[i] = aio.spawn(f[call[1]], f, table.unpack(call, 2))
    end
    for i, task in ipairs(tasks) do
      results[i] = table.pack(task:join())
    end
  end, { link = true })
  return results
end

describe("a linked batch", function()
  before_each(function()
    path = os.tmpname()
  end)
  after_each(function()
    os.remove(path)
  end)

  for _, engine in ipairs { "io_uring", "linux_aio", "threads" } do
    local function open(mode)
      return assert(file.open(path, mode or "w+", { engine = engine }))
    end

    it("runs in the order in which it was issued, on " .. engine, function()
      local f <close> = open()
      local got = linked(f, { { "pwrite", "aaaa", 0 }, { "pwrite", "bb", 1 },
        { "fdatasync" }, { "pread", 4, 0 }, { "write_all", "c", 0 },
        { "allocate", 0, 4 }, { "nop" }, { "read_exact", 2, 0 } })
      assert.same({ 4, 2, true, "abba", 1, true, true, "cb" }, {
        got[1][1], got[2][1], got[3][1], got[4][1], got[5][1], got[6][1],
        got[7][1], got[8][1] })
      assert.equal("cbba", read())
    end)

    it("ends with the first failure, on " .. engine, function()
      local f <close> = open()
      local got = linked(f, { { "write_all", "data", 0 },
        { "read_exact", 10, 0 }, { "pwrite", "x", 0 }, { "fsync" },
        { "write_all", "y", 0 } })
      assert.equal(4, got[1][1])
      assert.equal(errno.ENODATA, got[2][3])
      for i = 3, 5 do
        assert.is_nil(got[i][1])
        assert.equal(errno.ECANCELED, got[i][3])
        assert.matches("^ECANCELED", got[i][2])
      end
      assert.equal("data", read())
      assert.equal(1, f:pwrite("z", 0)) -- outside all goes on
    end)

    it("takes a short read for a failure, on " .. engine, function()
      local f <close> = open()
      local got = linked(f, { { "pwrite", "ab", 0 }, { "pread", 4, 0 },
        { "pwrite", "x", 0 } })
      assert.equal("ab", got[2][1])
      assert.equal(errno.ECANCELED, got[3][3])
      assert.equal("ab", read())
    end)
  end

  it("leaves other tasks alone", function()
    local f <close> = assert(file.open(path, "w+"))
    local other = aio.spawn(function()
      aio.yield()
      return f:pwrite("o", 9)
    end)
    aio.batch(function()
      assert.is_nil(f:read_exact(1, 0))
      assert.equal(errno.ECANCELED, select(3, f:nop()))
      assert.equal(1, other:join())
    end, { link = true })
  end)

  it("may stand in another, whose chain goes on behind it", function()
    local f <close> = assert(file.open(path, "w+"))
    aio.batch(function()
      aio.batch(function()
        assert.is_nil(f:read_exact(1, 0))
        assert.equal(errno.ECANCELED, select(3, f:nop()))
      end, { link = true })
      assert.is_true(f:nop())
    end, { link = true })
  end)

  it("is left when its function raises", function()
    local f <close> = assert(file.open(path, "w+"))
    assert.error_matches(function()
      aio.batch(function()
        f:read_exact(1, 0)
        error("inside", 0)
      end, { link = true })
    end, "^inside$")
    assert.is_true(f:nop())
  end)

  it("ends for those behind a request that timed out or was cancelled",
    function()
      os.remove(path)
      assert(os.execute("mkfifo " .. path))
      local f <close> = assert(file.open(path, "r+", { engine = "io_uring" }))
      if f.engine ~= "io_uring" then
        pending("no io_uring here: " .. f.fallback)
      end
      aio.batch(function()
        local late = aio.spawn(f.read, f, 1, 0.01)
        local rest = aio.spawn(f.nop, f)
        local _, _, err = late:join()
        assert.equal(errno.ETIMEDOUT, err)
        assert.equal(errno.ECANCELED, select(3, rest:join()))
      end, { link = true })
      aio.batch(function()
        local stuck = aio.spawn(f.read, f, 1)
        local rest = aio.spawn(f.nop, f)
        aio.sleep(0.01)
        stuck:cancel()
        assert.is_false((stuck:pjoin()))
        assert.equal(errno.ECANCELED, select(3, rest:join()))
      end, { link = true })
    end)

  it("opens, closes and asks as if there were none", function()
    aio.batch(function()
      local f <close> = assert(file.open(path, "w+"))
      assert.is_nil(f:read_exact(1, 0))
      assert.equal(0, f:size())
      assert.is_true(f:truncate(3))
      assert.is_true(f:close())
      assert(file.open(path)):close()
    end, { link = true })
  end)

  it("raises on options that it does not know", function()
    for _, options in ipairs { { lnk = true }, { link = 1 } } do
      assert.has_error(function() aio.batch(print, options) end)
    end
    assert.has_error(function() aio.batch(print, "link") end)
    assert.has_error(function() aio.batch() end)
  end)
end)
