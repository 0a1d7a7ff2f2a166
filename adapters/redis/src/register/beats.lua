-- Forgets some of the workers whose beat is over: at each beat and each look, so that they do not pile up.
local function forget_silent(now)
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', key('beats'), '-inf', now, 'LIMIT', 0, 100)) do
    redis.call('DEL', key('worker:' .. name))
    redis.call('ZREM', key('beats'), name)
    redis.call('ZREM', key('names'), name)
  end
end

-- Whether a worker's last beat still holds.
local function beats(name, now)
  local over = redis.call('ZSCORE', key('beats'), name)
  return over and tonumber(over) > now
end
