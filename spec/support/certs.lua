-- certs - certificates for specs, made on the fly with the openssl command
--
-- An authority, certificates it signed (good, expired, for another host, of a
-- client) and one that nobody knows.  Made once per process, removed at exit.
local host = require "support.host"

local certs = {}

local SCRIPT <const> = [[
set -e
cd "$1"
key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }
cat >ca.cnf <<END
[ca]
default_ca = own
[own]
database = index.txt
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
copy_extensions = copy
[any]
commonName = supplied
END
: >index.txt
echo 01 >serial
key ca
openssl req -x509 -new -key ca.key -subj /CN=test-authority -days 2 -out ca.pem
sign() { # NAME SAN START END
  key "$1"
  openssl req -new -key "$1.key" -subj "/CN=$1" -addext "subjectAltName=$2" \
    -out "$1.csr"
  openssl ca -batch -notext -config ca.cnf -keyfile ca.key -cert ca.pem \
    -startdate "$3" -enddate "$4" -in "$1.csr" -out "$1.pem"
}
sign good DNS:localhost,IP:127.0.0.1 20200101000000Z 20990101000000Z
sign client DNS:client 20200101000000Z 20990101000000Z
sign expired DNS:localhost 20200101000000Z 20210101000000Z
sign other DNS:other.example 20200101000000Z 20990101000000Z
key stranger
openssl req -x509 -new -key stranger.key -subj /CN=stranger -days 2 \
  -addext subjectAltName=DNS:localhost -out stranger.pem
]]

-- What removes the folder when the program ends.
local Folder = { __gc = function(folder)
  os.execute("rm -rf " .. host.quote(folder.path))
end }

local function make()
  local path = host.run("mktemp -d"):match("%S+")
  local script = path .. "/make.sh"
  local file = assert(io.open(script, "w"))
  file:write(SCRIPT)
  file:close()
  local output, status = host.run(("sh %s %s"):format(script, path))
  assert(status == 0, output)
  return setmetatable({ path = path }, Folder)
end

local folder

--- why(): nil, or why there can be no certificates here
function certs.why()
  if not pcall(require, "aio.tls") then
    return "no module aio.tls (built without OpenSSL)"
  end
  local _, status = host.run("command -v openssl")
  return status ~= 0 and "no openssl command" or nil
end

--- of(name) -> {cert=, key=}; names: good, client, expired, other, stranger
function certs.of(name)
  folder = folder or make()
  return { cert = folder.path .. "/" .. name .. ".pem",
    key = folder.path .. "/" .. name .. ".key" }
end

function certs.ca()
  return certs.of("ca").cert
end

return certs
