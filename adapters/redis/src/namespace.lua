-- What scripts share that keep all of their keys below KEYS[1], and go by the server's clock.
local function key(name)
  return KEYS[1] .. ':' .. name
end

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
