-- examples/mirror.lua on trees that are not nice

local aio = require "aio"
local file = require "aio.file"
local host = require "support.host"
local proc = require "aio.proc"

local MIRROR <const> = "examples/mirror.lua"
local folder

local function sh(script)
  local output, status = host.run("cd " .. folder .. " && " .. script)
  assert.equal(0, status, output)
  return output
end

local function mirror(arguments, before)
  return host.run(("%s %s %s %s"):format(before or "",
    host.quote(host.aioctl), MIRROR, arguments), 60)
end

local function parts()
  return host.run("find " .. folder .. " -name '.mirror-*'")
end

local TREE <const> = [[mkdir -p src/sub/deep src/ro
  head -c 5000123 /dev/urandom >src/big; head -c 777 /dev/urandom >src/ro/x
  truncate -s 100M src/sparse; printf x >>src/sparse
  for i in $(seq 40); do echo $i >src/sub/deep/$i; done
  : >"$(printf 'src/sub/new\nline')"; : >'src/sub/a space'
  ln -s big src/link; ln -s /none/x src/dangling
  chmod 751 src/big; chmod 444 src/ro/x; chmod 555 src/ro; chmod 700 src/sub]]

-- Names, kinds, permissions and targets of all below a folder, and contents.
local function listing(name)
  return sh("cd " .. name .. [[ && find . -printf '%p %y %m %l\n' | sort &&
    find . -type f -print0 | sort -z | xargs -0 cksum]])
end

describe("examples/mirror.lua", function()
  before_each(function()
    folder = host.run("mktemp -d"):gsub("\n", "")
  end)

  after_each(function()
    host.run("chmod -R u+rwx " .. folder .. "; rm -rf " .. folder)
  end)

  it("copies names, contents, links, holes and permissions", function()
    sh(TREE)
    for _ = 1, 2 do -- also onto what is there already
      local output, status = mirror(folder .. "/src " .. folder .. "/dst")
      assert.equal("47 copied, N bytes, 0 failures\n",
        (output:gsub("%d+ bytes", "N bytes")))
      assert.equal(0, status)
      assert.equal(listing "src", listing "dst")
      assert.is_true(file.stat(folder .. "/dst/sparse").blocks < 100)
      assert.equal("", parts())
    end
  end)

  it("tells what it cannot copy, does the rest, and fails", function()
    sh("mkdir src; mkfifo src/pipe; echo 1 >src/a; mkdir dst; mkdir dst/b; "
      .. "echo 2 >src/b; echo 3 >src/c")
    local output, status = mirror(folder .. "/src " .. folder .. "/dst")
    assert.equal(1, status)
    assert.matches("src/pipe: a fifo is not copied\n", output, 1, true)
    assert.matches("dst/b: EISDIR: Is a directory", output, 1, true)
    assert.matches("2 copied, 4 bytes, 2 failures", output, 1, true)
    assert.equal("", parts())
  end)

  it("leaves no half of a file where there is no room", function()
    sh "mkdir src; head -c 1M /dev/zero | tr '\\0' x >src/big; echo 1 >src/a"
    local output, status = mirror(folder .. "/src " .. folder .. "/dst",
      "ulimit -f 100;")
    assert.equal(1, status)
    assert.matches("src/big: EFBIG: File too large", output, 1, true)
    assert.matches("1 copied, 2 bytes, 1 failures", output, 1, true)
    assert.equal("a\n", sh "ls -A dst")
  end)

  it("gives up on a file that takes too long", function()
    sh "mkdir src; echo 1 >src/a"
    local output, status = mirror(folder .. "/src " .. folder .. "/dst 1e-9")
    assert.equal(1, status)
    assert.matches("src/a: timeout\n", output, 1, true)
    assert.equal("", sh "ls -A dst")
  end)

  it("leaves nothing but whole files when it is interrupted", function()
    sh("mkdir src; head -c 3M /dev/urandom >src/1; "
      .. "for i in $(seq 2 300); do ln src/1 src/$i; done")
    local child <close> = assert(proc.spawn { host.aioctl, MIRROR,
      folder .. "/src", folder .. "/dst", stderr = "pipe" })
    local deadline = aio.now() + 20
    local function is_whole(name) return name:sub(1, 1) ~= "." end
    local whole
    repeat
      aio.sleep(0.002)
      whole = 0
      for _, name in ipairs(file.readdir(folder .. "/dst") or {}) do
        whole = whole + (is_whole(name) and 1 or 0)
      end
    until whole > 3 or aio.now() > deadline
    child:kill "INT"
    assert.equal("aioctl: stopped: cancelled", child.stderr:recv_line(20))
    assert.equal("SIGINT", assert(child:wait(20)).signal)
    assert.equal("", parts())
    local made = #file.readdir(folder .. "/dst")
    assert.is_true(made > 3 and made < 300, made)
    sh "for f in dst/*; do cmp $f src/1 || exit 1; done"
  end)
end)
