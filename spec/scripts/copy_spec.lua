-- aioctl copy: contents, holes, refusals, verification, interruption

local aio = require "aio"
local file = require "aio.file"
local host = require "support.host"

local folder

local function path(name)
  return folder .. "/" .. name
end

local function aioctl(arguments, seconds)
  return host.run(host.quote(host.aioctl) .. " copy " .. arguments, seconds)
end

local function copy(arguments, seconds)
  local output, status = aioctl(arguments, seconds)
  assert.equal(0, status, output)
  return output
end

local function refuses(arguments, ...)
  local output, status = aioctl(arguments)
  assert.equal(1, status, output)
  for _, pattern in ipairs { ... } do
    assert.matches(pattern, output)
  end
  assert.is_nil(output:find("traceback"), output)
end

local function random(name, size)
  local urandom <close> = assert(io.open("/dev/urandom", "rb"))
  local f <close> = assert(io.open(name, "wb"))
  f:write(urandom:read(size))
end

local function same(a, b)
  return select(2, host.run(("cmp %s %s"):format(a, b))) == 0
end

describe("aioctl copy", function()
  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(file.mkdir(folder))
  end)

  after_each(function()
    for _, name in ipairs(assert(file.readdir(folder))) do
      local ok = file.unlink(path(name)) or file.rmdir(path(name))
      assert(ok)
    end
    assert(file.rmdir(folder))
  end)

  for _, size in ipairs { 0, 1, 511, 4096, 4097, 1 << 20, (3 << 20) + 777 } do
    it(("copies %d bytes exactly"):format(size), function()
      random(path "a", size)
      copy(("--verify %s %s"):format(path "a", path "b"))
      assert.is_true(same(path "a", path "b"))
      copy(("--no-direct %s %s"):format(path "a", path "c"))
      assert.is_true(same(path "a", path "c"))
    end)
  end

  for _, engine in ipairs { "io_uring", "linux_aio", "threads" } do
    for _, fdmon in ipairs { "io_uring", "epoll", "poll" } do
      it(("copies with %s on %s"):format(engine, fdmon), function()
        random(path "a", (2 << 20) + 777)
        copy(("--engine %s --fdmon %s --block 64k --depth 8 %s %s"):format(
          engine, fdmon, path "a", path "b"))
        assert.is_true(same(path "a", path "b"))
      end)
    end
  end

  it("copies an odd tail also when the engine is insisted upon", function()
    random(path "a", (1 << 20) + 777)
    local f = file.open(path "a", "r", { direct = true })
    if not f then
      pending("no O_DIRECT here")
    end
    f:close()
    copy(("--engine 'linux_aio!' --direct %s %s"):format(
      path "a", path "b"))
    assert.is_true(same(path "a", path "b"))
  end)

  it("replaces a longer destination and keeps the mode bits", function()
    random(path "a", 5000)
    random(path "b", 50000)
    os.execute("chmod 640 " .. path "a")
    copy(path "a" .. " " .. path "b")
    assert.is_true(same(path "a", path "b"))
    assert.equal(tonumber("640", 8), file.stat(path "b").perm)
  end)

  it("keeps holes and makes holes of zeros", function()
    do
      local f <close> = assert(file.open(path "a", "w"))
      assert(f:truncate(64 << 20))
      assert(f:pwrite("data in the middle", 32 << 20))
      local zeros = aio.buf(2 << 20)
      assert(f:write_all(zeros, 8 << 20))
    end
    copy(("--verify %s %s"):format(path "a", path "b"))
    assert.is_true(same(path "a", path "b"))
    local st = file.stat(path "b")
    assert.equal(64 << 20, st.size)
    assert.is_true(st.blocks * 512 <= 2 << 20)
  end)

  it("reports JSON that adds up", function()
    random(path "a", (1 << 20) + 1)
    local json = require("dkjson").decode(
      copy(("--json %s %s"):format(path "a", path "b")))
    assert.equal((1 << 20) + 1, json.bytes)
    assert.equal(json.bytes, json.data + json.zeros + json.holes)
    assert.is_true(json.seconds > 0)
    assert.is_true(json.read_ns.p50 > 0 and json.write_ns.max > 0)
    assert.is_false(json.verified)
  end)

  it("prints no progress to what is no terminal, unless told", function()
    random(path "a", 100000)
    local args = path "a" .. " " .. path "b"
    assert.is_nil(copy(args):find("\r", 1, true))
    assert.matches("copy +%d+%%", copy("--progress always " .. args))
  end)

  it("copies a read-only file for who is not root", function()
    random(path "a", 12345)
    assert(file.chmod(path "a", 292))
    assert(file.chmod(folder, 511))
    local drop = ""
    if host.run "id -u" == "0\n" then
      local _, status = host.run "command -v setpriv"
      if status ~= 0 then
        return pending "no setpriv, to be somebody else than root"
      end
      drop = "setpriv --reuid=65534 --clear-groups "
    end
    local output, status = host.run(("%s%s copy %s %s"):format(drop,
      host.quote(host.aioctl), path "a", path "b"))
    if status == 126 or status == 127 then
      return pending("somebody else cannot run it here: " .. output)
    end
    assert.equal(0, status, output)
    assert.is_true(same(path "a", path "b"))
    assert.equal(292, file.stat(path "b").perm)
  end)

  it("takes no more memory than the file needs", function()
    random(path "a", 12345)
    local output, status = host.run(([[%s -e '
      assert(require "aio.copy".run { src = "%s", dst = "%s", block = 1 << 30 })
      print(io.open "/proc/self/status":read "a":match "VmHWM:%%s+(%%d+)")
    ']]):format(host.quote(host.aioctl), path "a", path "b"))
    assert.equal(0, status, output)
    assert.is_true(tonumber(output) < 700000, output)
    assert.is_true(same(path "a", path "b"))
  end)

  it("summarizes rate and latencies", function()
    random(path "a", 100000)
    local output = copy(path "a" .. " " .. path "b")
    assert.matches("97.7 KiB in .* MB/s", output)
    assert.matches("read +p50 .* p99 .* max ", output)
  end)

  describe("refuses", function()
    it("a source that is missing, a directory, or no file", function()
      refuses(path "none" .. " " .. path "b", "ENOENT", path "none")
      refuses(folder .. " " .. path "b", "directory")
      refuses("/dev/zero " .. path "b", "character device")
      refuses("- " .. path "b", "standard input", "%./%-")
      refuses("/etc/passwd -", "standard output", "%./%-")
      assert.is_nil(file.stat(path "b"))
    end)

    it("a source that has data but no size", function()
      refuses("/proc/version " .. path "b", "/proc/version has no size")
      assert.is_nil(file.stat(path "b"))
    end)

    it("a destination that is the source, or a directory", function()
      random(path "a", 1000)
      os.execute(("ln %s %s"):format(path "a", path "hard"))
      refuses(path "a" .. " " .. path "a", "source itself")
      refuses(path "a" .. " " .. path "hard", "source itself")
      refuses(path "a" .. " " .. folder, "directory")
      refuses(path "a" .. " " .. path "no/b", "ENOENT", "no/b")
      assert.equal(1000, file.stat(path "a").size)
    end)

    it("a full device, with its name and the offset", function()
      random(path "a", 100000)
      refuses(path "a" .. " /dev/full", "ENOSPC", "/dev/full at offset %d+",
        "incomplete")
    end)

    it("options that make no sense, with a suggestion", function()
      random(path "a", 10)
      local args = " " .. path "a" .. " " .. path "b"
      refuses("--engine io_urin" .. args, "Did you mean 'io_uring'")
      refuses("--depht 3" .. args, "Did you mean", "depth")
      refuses("--depth 0" .. args, "1 to 1024")
      refuses("--block 12q" .. args, "no size")
      refuses("--block 10" .. args, "%-%-block: '10' is too small")
      refuses("--progress perhaps" .. args, "always")
      refuses(path "a", "missing argument DST")
      refuses(args .. " c", "too many arguments %(SRC DST expected%)")
    end)

    it("a block size that O_DIRECT cannot use, when it must", function()
      random(path "a", 100000)
      local args = " --block 1000 " .. path "a" .. " " .. path "b"
      local f = file.open(path "a", "r", { direct = true })
      if not f then
        pending("no O_DIRECT here")
      end
      f:close()
      refuses("--direct" .. args, "multiple of %d+")
      copy(args)
      assert.is_true(same(path "a", path "b"))
    end)
  end)

  describe("without io_uring", function()
    local PREFIX <const> = "AIOCTL_NO_IO_URING=1 "

    it("copies all the same, with one warning that says why", function()
      random(path "a", 100001)
      local output, status = host.run(("%s%s copy %s %s"):format(PREFIX,
        host.quote(host.aioctl), path "a", path "b"))
      assert.equal(0, status, output)
      assert.is_true(same(path "a", path "b"))
      local _, warnings = output:gsub("warning", "")
      assert.equal(1, warnings, output)
      assert.matches("AIOCTL_NO_IO_URING", output)
    end)

    it("refuses when it was demanded", function()
      random(path "a", 1000)
      local output, status = host.run(("%s%s copy --engine '%s' %s %s"):format(
        PREFIX, host.quote(host.aioctl), "io_uring!", path "a", path "b"))
      assert.equal(1, status, output)
      assert.matches("ENOTSUP: io_uring", output)
      assert.is_nil(output:find("traceback"), output)
    end)
  end)

  it("finds the first difference when verifying", function()
    local verify = require "aio.copy.verify"
    random(path "a", 3000000)
    copy(path "a" .. " " .. path "b")
    local result = assert(verify.run { src = path "a", dst = path "b" })
    assert.is_nil(result.differs)
    for _, at in ipairs { 2999999, 1500000, 0 } do
      local f <close> = assert(file.open(path "b", "r+"))
      local byte = f:pread(1, at):byte()
      assert(f:pwrite(string.char(byte ~ 1), at))
      assert(f:fsync())
      result = assert(verify.run { src = path "a", dst = path "b" })
      assert.equal(at, result.differs)
    end
    assert(file.open(path "b", "r+")):truncate(10)
    assert.equal(0,
      assert(verify.run { src = path "a", dst = path "b" }).differs)
  end)

  it("notices a source that shrinks", function()
    local lib = require "aio.copy"
    random(path "a", 4 << 20)
    local status = {}
    local cut = aio.spawn(function()
      while (status.done or 0) == 0 do
        aio.yield()
      end
      local f <close> = assert(file.open(path "a", "r+"))
      assert(f:truncate(4096))
    end)
    local result, message = lib.run {
      src = path "a", dst = path "b", depth = 1, block = 65536,
      status = status,
    }
    cut:join()
    assert.is_nil(result)
    assert.matches("shrank", message)
  end)

  it("says how far it came when interrupted, and dies of it", function()
    do
      local f <close> = assert(io.open(path "a", "wb"))
      f:seek("set", (1 << 30) - 1)
      f:write("x")
    end
    os.execute("dd status=none conv=notrunc if=/dev/urandom bs=1M count=200 " ..
      "of=" .. path "a")
    -- Once the first bytes are there; "set -m" leaves INT as it is.
    local output = host.run("bash -c " .. host.quote((
      "set -m; %s copy --depth 1 --block 4k %s %s & until [ -s %s ]; do " ..
      "sleep 0.01; done; kill -INT $!; wait $!; echo status $?"):format(
      host.quote(host.aioctl), path "a", path "b", path "b")))
    assert.matches("interrupted at [%d.]+ %a+ of 1 GiB", output)
    assert.matches("b is incomplete", output)
    assert.is_nil(output:find("traceback"), output)
    assert.is_nil(output:match("status 0"), output)
  end)
end)
