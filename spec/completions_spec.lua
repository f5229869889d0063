-- Completion of the shells: what bash offers, and that zsh and fish can read
-- theirs.  Also that options are declared once: --help, manual pages and
-- completions agree.

local host = require "support.host"

local DOC <const> = (os.getenv("AIOCTL_BUILD")
  or host.aioctl:match("^(.*)/")) .. "/doc"
local BASH <const> = DOC .. "/completions/bash/aioctl"

-- What bash offers when Tab is typed at the end of the line.
local function offers(line, folder)
  local words = {}
  for word in line:gmatch("[^ ]+") do
    words[#words + 1] = host.quote(word)
  end
  if line:find(" $") then
    words[#words + 1] = "''"
  end
  local bin = host.aioctl:match("^(.*)/")
  local script = ("cd %s; PATH=%s:$PATH; source %s; COMP_WORDS=(%s); "
    .. "COMP_CWORD=%d; _aioctl; printf '%%s\\n' \"${COMPREPLY[@]}\""):format(
      host.quote(folder or "/"), host.quote(bin), host.quote(BASH),
      table.concat(words, " "), #words - 1)
  local set = {}
  for word in host.run("bash -c " .. host.quote(script)):gmatch("[^\n]+") do
    set[word] = true
  end
  return set
end

local function commands()
  local help = host.run(host.quote(host.aioctl) .. " --help")
  local list = {}
  for name in help:match("\nCommands[^\n]*\n([^\n]+)"):gmatch("%S+") do
    list[#list + 1] = name
  end
  return list
end

describe("bash", function()
  it("completes commands and options of the program", function()
    local found = offers("aioctl ")
    for _, name in ipairs(commands()) do
      assert(found[name], name)
    end
    assert.is_true(offers("aioctl --fd")["--fdmon"])
    assert.same({ epoll = true }, offers("aioctl --fdmon e"))
    assert.is_true(offers("aioctl --fdmon poll c")["copy"])
  end)

  it("completes options of commands and their values", function()
    assert.same({ ["--depth"] = true }, offers("aioctl copy --dep"))
    assert.same({ always = true, auto = true },
      offers("aioctl copy --progress a"))
    assert.is_nil(offers("aioctl info --")["--depth"])
  end)

  it("completes names for help", function()
    assert.same({ ["aio.file.open"] = true }, offers("aioctl help aio.file.op"))
  end)

  it("completes files", function()
    local folder = host.lines("mktemp -d")[1]
    finally(function() host.run("rm -r " .. host.quote(folder)) end)
    host.run("cd " .. folder .. " && touch disk.img && mkdir d")
    assert.same({ ["disk.img"] = true, d = true },
      offers("aioctl copy d", folder))
    assert.same({ d = true }, offers("aioctl demo --dir ", folder))
  end)
end)

describe("the completions", function()
  for shell, file in pairs { bash = "bash/aioctl", zsh = "zsh/_aioctl",
    fish = "fish/aioctl.fish" } do
    it("are read by " .. shell, function()
      if select(2, host.run("command -v " .. shell)) ~= 0 then
        pending("no " .. shell .. " here")
      end
      local output, status = host.run(("%s -n %s/completions/%s"):format(shell,
        host.quote(DOC), file))
      assert.equal("", output)
      assert.equal(0, status)
    end)
  end
end)

describe("options", function()
  it("of commands are in --help, the manual and all completions", function()
    local files = { zsh = host.read(DOC .. "/completions/zsh/_aioctl"),
      fish = host.read(DOC .. "/completions/fish/aioctl.fish") }
    local count = 0
    for _, name in ipairs(commands()) do
      local page = host.read(("%s/man/man1/aioctl-%s.1"):format(DOC, name))
        :gsub("\\%-", "-")
      local help = host.run(host.quote(host.aioctl) .. " " .. name .. " --help")
      local offered = offers("aioctl " .. name .. " --")
      for option in help:match("\nOptions:\n(.*)"):gmatch("%-%-([%l-]+)") do
        count = count + 1
        assert(page:find("--" .. option, 1, true), name .. " " .. option)
        assert(offered["--" .. option], name .. " " .. option)
        if option ~= "help" then
          assert(files.zsh:find("'--" .. option .. "[", 1, true), option)
          assert(files.fish:find(" -l " .. option .. " ", 1, true), option)
        end
      end
    end
    assert.is_true(count > 25)
  end)

  it("of the program are in --help, the manual and completions", function()
    local help = host.run(host.quote(host.aioctl) .. " --help=all")
    local page = host.read(DOC .. "/man/man1/aioctl.1"):gsub("\\%-", "-")
    local offered = offers("aioctl --")
    for option in help:gmatch("\n  (%-%-%l[%l-]*)") do
      assert(page:find(option, 1, true), option)
      assert(offered[option], option)
    end
  end)

  it("have the default that file.copy has, too", function()
    local declared = require("aio.commands.copy").options
    for _, option in ipairs(declared) do
      if option[1] == "depth" then
        assert.equal(require("aio.copy").DEPTH, tonumber(option.default))
      end
    end
  end)
end)
