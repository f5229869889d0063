-- Protocol models: spin accepts each, and rejects every broken variant of it.

local host = require "support.host"

local FOLDER = "docs/protocols/"
local SECONDS = 60 -- for each run; all together take half of that

-- `provided` clauses and partial order reduction do not go together.
local SIGNALS = "-DNOREDUCE"

-- Runs that must pass: enough to see every mixture, small enough to be quick.
local SOUND = {
  { "lockcnt", "-DTHREADS=3" },
  { "lockcnt", "-DTHREADS=2 -DROUNDS=2" },
  { "notify", "-DNOTIFIERS=3 -DCALLS=0 -DPASSES=0" },
  { "notify", "-DNOTIFIERS=2 -DCALLS=0 -DPASSES=1 -DTIMERS=0" },
  { "notify", "-DNOTIFIERS=1 -DCALLS=0 -DPASSES=2" },
  { "notify", "-DNOTIFIERS=1 -DCALLS=1 -DPASSES=1 -DTIMERS=0", SIGNALS },
  { "notify", "-DNOTIFIERS=3 -DCALLS=0 -DPASSES=0 -DEDGE=1" },
  { "notify", "-DNOTIFIERS=1 -DCALLS=1 -DPASSES=0 -DEDGE=1", SIGNALS },
}

-- The smallest runs that show what each broken rule leads to.
local LOOP = "-DNOTIFIERS=2 -DCALLS=0 -DPASSES=0"
local GLIB = "-DNOTIFIERS=2 -DCALLS=0 -DPASSES=1 -DTIMERS=0"
local BROKEN = {
  { "lockcnt", "-DBUG=1" },
  { "lockcnt", "-DBUG=2" },
  { "lockcnt", "-DBUG=3" },
  { "lockcnt", "-DBUG=4" },
  { "notify", LOOP .. " -DBUG=1" },
  { "notify", LOOP .. " -DBUG=2" },
  { "notify", GLIB .. " -DBUG=3" },
  { "notify", GLIB .. " -DBUG=4" },
  { "notify", "-DNOTIFIERS=1 -DCALLS=1 -DPASSES=0 -DBUG=5", SIGNALS },
  { "notify", GLIB .. " -DBUG=6" },
  { "notify", LOOP .. " -DBUG=7" },
}

-- verify(model, definitions, flags) -> number of errors, what pan printed
local function verify(model, definitions, flags)
  local folder = host.lines("mktemp -d")[1]
  local output, status = host.run(([[
    model=$PWD/%s%s.pml && cd %s &&
    spin %s -a "$model" >spin.out 2>&1 || { cat spin.out; exit 1; }
    # compiling with -O takes longer than it saves
    cc -w -DSAFETY -DCOLLAPSE %s -o pan pan.c &&
    ./pan -m1000000]]):format(FOLDER, model, host.quote(folder), definitions,
      flags or ""), SECONDS)
  host.run("rm -r " .. host.quote(folder))
  assert(status == 0, output)
  assert(not output:find("max search depth too small", 1, true), output)
  return tonumber(output:match("errors: (%d+)")), output
end

describe("protocol model", function()
  for _, row in ipairs(SOUND) do
    local model, definitions, flags = table.unpack(row)
    it(model .. " holds with " .. definitions, function()
      local errors, output = verify(model, definitions, flags)
      assert(errors == 0, output)
      assert(not output:find("not completed", 1, true), output)
    end)
  end

  for _, row in ipairs(BROKEN) do
    local model, definitions, flags = table.unpack(row)
    it(model .. " is rejected with " .. definitions, function()
      local errors, output = verify(model, definitions, flags)
      assert(errors == 1, output)
      assert(output:find("invalid end state", 1, true)
        or output:find("assertion violated", 1, true), output)
    end)
  end

  it("files explain every variant, and every variant is run", function()
    for _, model in ipairs { "notify", "lockcnt" } do
      local rows = {}
      for number in host.read(FOLDER .. model .. ".md")
        :gmatch("\n| (%d+) | ") do
        rows[number] = true
      end
      local ran, known = {}, {}
      for _, row in ipairs(BROKEN) do
        if row[1] == model then
          ran[row[2]:match("BUG=(%d+)")] = true
        end
      end
      for number in host.read(FOLDER .. model .. ".pml")
        :gmatch("BUG [=!]= ([1-9]%d*)") do
        known[number] = true
      end
      assert.same(known, rows)
      assert.same(known, ran)
    end
  end)
end)

-- modelled(name) -> the files of src/core that its row of the README names
local function modelled(name)
  local row = host.read(FOLDER .. "README.md")
    :match("\n| %[" .. name .. "%.pml%][^|]*|([^|]*)|")
  local files, folder = {}, nil
  for path in assert(row, name .. " has no row"):gmatch("`([%w_/]+%.c)`") do
    folder = path:match("^(.*/)") or folder
    files[#files + 1] = "src/core/" .. folder .. path:match("[^/]+$")
  end
  return files
end

-- The set of what a pattern matches in a file.
local function set_of(path, pattern)
  local set = {}
  for item in host.read(path):gmatch(pattern) do
    set[item] = true
  end
  return set
end

describe("code and model", function()
  for _, model in ipairs { "notify", "lockcnt" } do
    it("of " .. model .. " name each other", function()
      local files = modelled(model)
      assert.is_true(#files >= 1)
      local head = host.read(FOLDER .. model .. ".pml"):match("^/%*(.-)%*/")
      for _, path in ipairs(files) do
        assert(host.read(path):find("docs/protocols/" .. model .. ".pml", 1,
          true), path .. " does not name its model")
        assert(head:find(path:match("[^/]+$"), 1, true),
          model .. ".pml does not name " .. path)
      end
    end)
  end

  it("of notify have the same labelled steps", function()
    local code = set_of("src/core/loop/notify.c", "%f[%w]([NL]%d)%f[%W]")
    local model = set_of(FOLDER .. "notify.pml", "/%* ([NL]%d)")
    assert.same(code, model)
  end)

  it("of lockcnt have the same functions", function()
    local code = set_of("src/core/include/qemu/lockcnt.h",
      "qemu_lockcnt_([%w_]+)%(")
    local model = set_of(FOLDER .. "lockcnt.pml", "inline ([%w_]+)%(")
    -- Adding is an argument there; the rest has no concurrency.
    assert.is_true(model.unlock_adding)
    for name in pairs(code) do
      local modelled_as = ({ unlock = "unlock_adding",
        inc_and_unlock = "unlock_adding" })[name] or name
      if name ~= "init" and name ~= "destroy" and name ~= "count" then
        assert(model[modelled_as], name .. "() is not modelled")
      end
    end
  end)
end)

-- A file with accesses whose order matters says what each pairs with.
local function unexplained(text)
  local code = text:gsub("/%*.-%*/", "")
  if not code:find("__ATOMIC_SEQ_CST", 1, true)
    and not code:find("%f[%w_]smp_%w*mb%f[^%w_]") then
    return false
  end
  local prose = text:gsub("%s+%*?%s*", " ")
  return not prose:find("[Pp]airs with")
    and not prose:find("docs/protocols/%w+%.pml")
end

describe("an access with an order", function()
  local files = host.lines(
    "find src/core -name '*.[ch]' ! -path '*/include/qemu/*' | sort")

  it("names its pair or the model of its protocol", function()
    local found = {}
    for _, path in ipairs(files) do
      if unexplained(host.read(path)) then
        found[#found + 1] = path
      end
    end
    assert.same({}, found)
    assert.is_true(#files > 30)
  end)

  it("is recognised as explained or not", function()
    assert.is_true(unexplained("load(x, __ATOMIC_SEQ_CST);"))
    assert.is_true(unexplained("smp_mb(); /* a barrier */"))
    assert.is_false(unexplained("smp_mb(); /* pairs\n * with f() */"))
    assert.is_false(unexplained(
      "/* docs/protocols/notify.pml */ load(x, __ATOMIC_SEQ_CST);"))
    assert.is_false(unexplained("/* __ATOMIC_SEQ_CST */"))
  end)

  it("names only models that exist", function()
    for _, path in ipairs(files) do
      for model in host.read(path):gmatch("docs/protocols/(%w+)%.pml") do
        host.read(FOLDER .. model .. ".pml")
      end
    end
  end)
end)
