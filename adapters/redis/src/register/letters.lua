-- Drops a dead letter; says whether it was there.
local function drop(number)
  local grave = key('grave:' .. number)
  local digest = redis.call('HGET', grave, 'digest')
  if not digest then
    return false
  end
  redis.call('DECRBY', key('graves:bytes'), redis.call('HSTRLEN', grave, 'envelope'))
  redis.call('HDEL', key('digests'), digest)
  redis.call('ZREM', key('graves'), number)
  redis.call('DEL', grave)
  return true
end

-- A dead letter as it is shown.
local function shown_letter(number)
  local grave = redis.call('HMGET', key('grave:' .. number), 'stage', 'run', 'reason', 'envelope', 'buried', 'retried')
  return {number, grave[1], grave[2], grave[3], grave[4], grave[5], grave[6]}
end
