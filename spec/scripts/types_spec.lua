-- aioctl types: what it writes, and what it leaves alone.

local host = require "support.host"

local function in_folder(test)
  local folder = host.lines("mktemp -d")[1]
  finally(function() host.run("rm -r " .. host.quote(folder)) end)
  test(folder, function(args)
    return host.run(("cd %s && %s types %s"):format(host.quote(folder),
      host.quote(host.aioctl), args or ""))
  end)
end

describe("aioctl types", function()
  it("writes types and a .luarc.json that names them", function()
    in_folder(function(folder, types)
      local output, status = types()
      assert.equal(0, status, output)
      assert.equal("wrote .aio-types\nwrote .luarc.json\n", output)
      local luarc = require("cjson").decode(host.read(folder .. "/.luarc.json"))
      assert.same({ ".aio-types" }, luarc["workspace.library"])
      assert.matches("\nfunction file%.open%(path, mode, options%) end\n",
        host.read(folder .. "/.aio-types/aio/file.lua"))
      local paths = host.lines("find " .. folder .. " -name '*.lua'")
      for _, path in ipairs(paths) do
        assert(loadfile(path))
      end
    end)
  end)

  it("writes what the build has written", function()
    in_folder(function(folder, types)
      types()
      local built = (os.getenv("AIOCTL_BUILD")
        or host.aioctl:match("^(.*)/")) .. "/doc/types"
      assert.equal("", (host.run(("diff -r %s %s/.aio-types"):format(
        host.quote(built), host.quote(folder)))))
    end)
  end)

  it("can be repeated", function()
    in_folder(function(_, types)
      types()
      local output, status = types()
      assert.equal("wrote .aio-types\nkept .luarc.json\n", output)
      assert.equal(0, status)
    end)
  end)

  it("leaves somebody else's .luarc.json alone unless forced", function()
    in_folder(function(folder, types)
      host.run("echo '{}' >" .. host.quote(folder .. "/.luarc.json"))
      local output, status = types()
      assert.equal(1, status)
      assert.matches("%.luarc%.json is there: add \"%.aio%-types\" to its "
        .. "workspace%.library, or replace it with %-%-force", output)
      assert.equal("{}\n", host.read(folder .. "/.luarc.json"))
      assert.equal(0, (select(2, types("--force"))))
      assert.matches("aio%-types", host.read(folder .. "/.luarc.json"))
    end)
  end)

  it("says where it cannot write", function()
    in_folder(function(_, types)
      local output, status = types("none")
      assert.equal(1, status)
      assert.matches("^aioctl types: ENOENT: .*none/%.aio%-types", output)
    end)
  end)
end)
