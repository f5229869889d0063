--- INT and TERM cancel tasks; a program that had none left, only armed handles,
-- did not hear them.
local host = require "support.host"

describe("a program of armed handles, its main chunk over,", function()
  for signal, status in pairs { TERM = 143, INT = 130 } do
    it("dies of " .. signal, function()
      local code = ([[
        local aio = require "aio"
        aio.timer { fn = print }:mod(aio.now() + 100)
        aio.timer {
          -- not by os.execute(): system() ignores INT while it waits
          fn = function()
            io.popen("(sleep 0.01; kill -%s $PPID) >/dev/null &"):close()
          end,
        }:mod(0)]]):format(signal)
      local _, got = host.run(("%s -e %s; exit $?"):format(
        host.quote(host.aioctl), host.quote(code)), 5)
      assert.equal(status, got)
    end)
  end
end)
