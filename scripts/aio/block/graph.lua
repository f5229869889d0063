--- aio.block.graph - changing a graph while requests go through it.
--
-- A drain holds a node's gate: new requests wait, those in flight end.  Then
-- nothing of the node is under way below it, and its child can be exchanged.
-- A request waits before it has begun, so no order that a flush has given is
-- lost: a flush covers writes that have returned, and those are below.
local aio = require "aio"
local Node = require("aio.block.node").class
local sync = require "aio.sync"

local Drain = {}
Drain.__index = Drain
Drain.__name = "aio.drain"

--- class Drain (drain)
--
-- While it is open requests of a node wait. Ends with its `<close>` scope.

--- drain:close()
--
-- The requests that wait go on. May be called twice.
function Drain.close(drain)
  local node = drain.node
  if not node then
    return
  end
  drain.node = nil
  node.holds = node.holds - 1
  if node.holds == 0 then
    local gate = node.held
    node.held = nil
    gate:set()
  end
end

Drain.__close = Drain.close

local function wait_until_idle(node)
  while node.in_flight > 0 do
    node.idle = node.idle or sync.event()
    node.idle:wait()
  end
end

local function check_open(node, call)
  if getmetatable(node) ~= Node then
    error(("%s: a node expected, got %s"):format(call, type(node)), 3)
  elseif node.closed then
    error(("%s: the node '%s' is closed"):format(call, node.name), 3)
  end
end

local function hold(node)
  node.holds = node.holds + 1
  node.held = node.held or sync.event()
  local drain = setmetatable({ node = node }, Drain)
  local ok, err = pcall(wait_until_idle, node)
  if not ok then -- cancelled
    drain:close()
    error(err, 0)
  end
  return drain
end

--- node:drain() -> Drain
--
-- Nothing is in flight in the node and new requests wait until it is closed.
-- Not from within one of the node's own requests.
function Node.drain(node)
  check_open(node, "drain")
  return hold(node)
end

-- ---- the end of a node ----------------------------------------------------

-- A cancelled task must not leave behind what is half closed.
local function end_node(node)
  node.closed = true
  node.holds = node.holds + 1
  node.held = node.held or sync.event()
  if node.in_flight > 0 then
    aio.shield(wait_until_idle, node)
  end
  node.held:set() -- those that wait are told
  local close = node.impl.close
  if close then
    return close(node)
  end
  return true
end

-- Ends the node and leaves its children to whoever has them.
local function detach(node)
  for _, child in ipairs(node.children) do
    child.parents = child.parents - 1
  end
  return end_node(node)
end

local function close_children(node)
  local ok, message, errno = true, nil, nil
  for _, child in ipairs(node.children) do
    child.parents = child.parents - 1
    if child.parents == 0 then
      local closed, why, code = child:close()
      if ok and not closed then
        ok, message, errno = nil, why, code
      end
    end
  end
  return ok, message, errno
end

--- node:close() -> true!
--
-- Waits for what is in flight, then closes the node and the children that no
-- other node uses. `EBUSY` while a node stands on it.
function Node.close(node)
  if node.closed then
    return true
  elseif node.parents > 0 then
    return nil, ("EBUSY: other nodes stand on it (node '%s': close)"):format(
      node.name), aio.errno.EBUSY
  end
  local ok, message, errno = end_node(node)
  local closed, why, code = close_children(node)
  if not ok then
    return nil, message, errno
  elseif not closed then
    return nil, why, code
  end
  return true
end

Node.__close = Node.close

local function check_index(index, call)
  if index ~= nil and math.type(index) ~= "integer" then
    error(("%s: index: an integer expected, got %s"):format(call, type(index)),
      3)
  end
  return index or 1
end

-- ---- edges ----------------------------------------------------------------

local function find_child(node, index, call)
  local child = node.children[index]
  if not child then
    error(("%s: the node '%s' has no child %s"):format(call, node.name,
      tostring(index)), 3)
  end
  return child
end

-- May `new` stand where the node has used `old`?
local function mismatch(node, old, new)
  if new.size ~= old.size then
    return ("its size is %d, not %d"):format(new.size, old.size)
  elseif new.block_size.min > old.block_size.min
    or new.block_size.max < old.block_size.max then
    return "it needs other block sizes"
  elseif new.readonly and not node.readonly then
    return "it is read-only"
  end
end

local function reaches(from, node)
  if from == node then
    return true
  end
  for _, child in ipairs(from.children) do
    if reaches(child, node) then
      return true
    end
  end
  return false
end

local function set_child(node, index, new)
  local old = node.children[index]
  new.parents = new.parents + 1
  old.parents = old.parents - 1
  node.children[index] = new
  if index == 1 then
    node.child = new
  end
  return old
end

--- node:replace(new: Node, index?: integer) -> Node!
--
-- Puts another child in place of the first one, or of the one numbered `index`,
-- which is the result and the caller's. Sizes must be equal, block sizes fit.
function Node.replace(node, new, index)
  check_open(node, "replace")
  check_open(new, "replace: new child")
  index = check_index(index, "replace")
  local _ <close> = hold(node)
  local old = find_child(node, index, "replace")
  local reason = mismatch(node, old, new)
    or reaches(new, node) and "the graph would have a cycle"
  if reason then
    return nil, ("EINVAL: '%s' cannot be a child of '%s': %s"):format(new.name,
      node.name, reason), aio.errno.EINVAL
  end
  set_child(node, index, new)
  if node.impl.replaced then
    node.impl.replaced(node, index)
  end
  return old
end

--- node:insert(make: fun(child: Node): Node|nil, index?: integer) -> Node!
--
-- What `make(child)` returns, a node on top of the child, which is now between
-- both. It is called while nothing is in flight.
function Node.insert(node, make, index)
  check_open(node, "insert")
  if type(make) ~= "function" then
    error("insert: a function expected, got " .. type(make), 2)
  end
  index = check_index(index, "insert")
  local _ <close> = hold(node)
  local old = find_child(node, index, "insert")
  local new, message, errno = make(old)
  if not new then
    return nil, message, errno
  end
  check_open(new, "insert: what make() has returned")
  local reason = mismatch(node, old, new)
  if reason then
    detach(new)
    return nil, ("EINVAL: '%s' cannot be a child of '%s': %s"):format(new.name,
      node.name, reason), aio.errno.EINVAL
  end
  set_child(node, index, new)
  return new
end

--- node:remove(index?: integer) -> true!
--
-- The child, a filter, is flushed, taken out, and closed unless others use it.
function Node.remove(node, index)
  check_open(node, "remove")
  index = check_index(index, "remove")
  local _ <close> = hold(node)
  local old = find_child(node, index, "remove")
  local below = old.children[1]
  local reason = #old.children ~= 1 and "it is no filter"
    or mismatch(node, old, below)
  if reason then
    return nil, ("EINVAL: '%s' cannot be removed from below '%s': %s"):format(
      old.name, node.name, reason), aio.errno.EINVAL
  end
  local ok, message, errno = old:flush() -- what it holds back goes down
  if not ok then
    return nil, message, errno
  end
  set_child(node, index, below)
  return old.parents > 0 or detach(old)
end

return Node
