---@meta aio.net
-- Types of sockets.

---@class aio.net
---@field methods table<string, function>
local net = {}
---@class Socket
local Socket = {}
---@class Address
local Address = {}

---@alias aio.Where string|Address|aio.WhereTable
---@alias aio.Bytes string|Buf|(Buf|string)[]
---@alias aio.SocketType "stream"|"datagram"|"seqpacket"

---@class aio.WhereTable
---@field host? string
---@field port? integer|string
---@field path? string
---@field type? aio.SocketType

---@class aio.SocketOptions
---@field nodelay? boolean
---@field keepalive? boolean
---@field keepidle? integer seconds
---@field keepinterval? integer seconds
---@field keepcount? integer
---@field user_timeout? integer milliseconds
---@field reuseaddr? boolean
---@field reuseport? boolean
---@field broadcast? boolean
---@field rcvbuf? aio.Size
---@field sndbuf? aio.Size
---@field v6only? boolean
---@field family? "ipv4"|"ipv6"
---@field timeout? number seconds
---@field external? boolean
---@field tls? true|aio.TlsOptions

---@class aio.ListenOptions: aio.SocketOptions
---@field backlog? integer
---@field perm? integer

---@class aio.DialOptions: aio.SocketOptions
---@field bind? aio.Where
---@field attempt? number seconds for one address of several

---@class aio.TlsOptions
---@field ca? string
---@field cert? string
---@field key? string
---@field verify? boolean
---@field servername? string
---@field alpn? string[]
---@field psk? {identity: string, key: string}
---@field server? boolean of starttls
---@field timeout? number of starttls

---@param address aio.Where
---@param options? aio.DialOptions|number
---@return Socket|nil, string?, integer?
function net.dial(address, options) end

---@param address aio.Where
---@param options? aio.ListenOptions
---@return Socket|nil, string?, integer?
function net.listen(address, options) end

---@param address? aio.Where
---@param options? aio.ListenOptions
---@return Socket|nil, string?, integer?
function net.udp(address, options) end

---@param type? aio.SocketType
---@return Socket|nil, Socket|string, integer?
function net.pair(type) end

---@param fd any
---@return Socket|nil, string?, integer?
function net.wrap(fd) end

---@class aio.ResolveOptions
---@field port? integer|string
---@field family? "ipv4"|"ipv6"
---@field type? "stream"|"datagram"
---@field timeout? number

---@param host string
---@param options? aio.ResolveOptions
---@return Address[]|nil, string?, integer?
function net.resolve(host, options) end

---@param address aio.Where
---@return Address
function net.address(address) end

---@param what? integer|Buf
---@param sec? aio.Wait
---@return string|integer|nil, string?, integer?
function Socket:recv(what, sec) end

---@param what integer|Buf
---@param sec? aio.Wait
---@return string|integer|nil, string?, integer?, integer? so_far
function Socket:recv_exact(what, sec) end

---@param options? number|{timeout: number, keep: boolean, max: aio.Size}
---@return string|nil, string?, integer?
function Socket:recv_line(options) end

---@param options? number|{timeout: number, keep: boolean, max: aio.Size}
---@return fun(): string|nil
function Socket:lines(options) end

---@param n? integer|Buf
---@param sec? aio.Wait
---@return fun(): string|integer|nil
function Socket:chunks(n, sec) end

---@param data aio.Bytes
---@param sec? aio.Wait
---@return integer|nil, string?, integer?, integer? sent
function Socket:send(data, sec) end

---@param what? integer|Buf
---@return string|integer|false|nil, string?, integer?
function Socket:try_recv(what) end

---@param data aio.Bytes
---@return integer|nil, string?, integer?
function Socket:try_send(data) end

---@param data aio.Bytes
---@param address aio.Where
---@param sec? aio.Wait
---@return integer|nil, string?, integer?
function Socket:sendto(data, address, sec) end

---@param what? integer|Buf
---@param sec? aio.Wait
---@return string|integer|nil, Address|string, integer?
function Socket:recvfrom(what, sec) end

---@param fd any one or a list
---@param data? string
---@param sec? aio.Wait
---@return integer|nil, string?, integer?
function Socket:sendfd(fd, data, sec) end

---@param n? integer
---@param sec? aio.Wait
---@return integer|integer[]|nil, string?, integer?
function Socket:recvfd(n, sec) end

---@param sec? aio.Wait
---@return Socket|nil, string?, integer?
function Socket:accept(sec) end

---@return fun(): Socket|nil
function Socket:accepts() end

---@return Socket|false|nil, string?, integer?
function Socket:try_accept() end

---@param how? "r"|"w"|"rw"
---@param sec? aio.Wait
---@return true|nil, string?, integer?
function Socket:shutdown(how, sec) end

---@return true
function Socket:close() end

---@return boolean
function Socket:is_closed() end

---@return integer
function Socket:fd() end

---@return Address|nil, string?, integer?
function Socket:name() end

---@return Address|nil, string?, integer?
function Socket:peer() end

---@param name string
---@param value? boolean|integer|string
---@return any, string?, integer?
function Socket:option(name, value) end

---@param options? aio.TlsOptions
---@return true|nil, string?, integer?
function Socket:starttls(options) end

---@param sec? aio.Wait
---@return true|nil, string?, integer?
function Socket:handshake(sec) end

---@class aio.TlsFacts
---@field protocol string
---@field cipher string
---@field alpn? string
---@field subject? string
---@field issuer? string

---@return aio.TlsFacts|nil
function Socket:tls() end

---@return string|nil
function Address:host() end

---@return integer|nil
function Address:port() end

---@return string|nil
function Address:path() end

---@return "ipv4"|"ipv6"|"unix"
function Address:family() end

---@return aio.SocketType
function Address:type() end

return net
