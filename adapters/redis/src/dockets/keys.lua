-- What the dockets' scripts share. Every key begins with KEYS[1], `gm:{dockets}` where the namespace is `gm`, so that all of them lie on one
-- node of a cluster.
--
--   tags       sorted set: tags of all dockets, by the end of their lease; 0 is in nobody's hands
--   of:TAG     a hash: run, model, tasks, batch, holder
--
-- Dockets are as many as there are batches at providers: the windows bound them.

local function key(name)
  return KEYS[1] .. ':' .. name
end

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
