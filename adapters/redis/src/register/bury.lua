-- ARGV: stage, run or nothing, reason, envelope, how many letters and how many bytes of them are kept. Returns the letter's number.
local stage, run, reason, envelope = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local digest = redis.sha1hex(table.concat({stage, run, #reason, reason, envelope}, ' '))
local same = redis.call('HGET', key('digests'), digest)
if same then
  local grave = key('grave:' .. same)
  if redis.call('HEXISTS', grave, 'retried') == 1 then
    redis.call('HSET', grave, 'buried', now_ms())
    redis.call('HDEL', grave, 'retried')
  end
  return tonumber(same)
end

local number = redis.call('INCR', key('graves:count'))
local grave = key('grave:' .. number)
redis.call('HSET', grave, 'stage', stage, 'reason', reason, 'envelope', envelope, 'buried', now_ms(), 'digest', digest)
if run ~= '' then
  redis.call('HSET', grave, 'run', run)
end
redis.call('HSET', key('digests'), digest, number)
redis.call('ZADD', key('graves'), number, number)
local bytes, kept = redis.call('INCRBY', key('graves:bytes'), #envelope), redis.call('ZCARD', key('graves'))
while kept > 1 and (kept > tonumber(ARGV[5]) or bytes > tonumber(ARGV[6])) do
  drop(redis.call('ZRANGE', key('graves'), 0, 0)[1])
  bytes, kept = tonumber(redis.call('GET', key('graves:bytes'))), kept - 1
end
return number
