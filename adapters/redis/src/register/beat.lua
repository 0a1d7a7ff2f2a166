-- ARGV: worker, report, how long the beat holds, how long a drain is remembered. Returns 1 when the worker shall take nothing more.
local name, worker, now = ARGV[1], key('worker:' .. ARGV[1]), now_ms()
forget_silent(now)
local since = beats(name, now) and redis.call('HGET', worker, 'since') or now
without_room()
redis.call('HSET', worker, 'report', ARGV[2], 'since', since, 'beat', now)
redis.call('ZADD', key('beats'), now + tonumber(ARGV[3]), name)
redis.call('ZADD', key('names'), 0, name)
local drained = redis.call('PEXPIRE', key('drain:' .. name), ARGV[4])
if drained == 1 then
  -- An order of a version that kept no list of them.
  redis.call('ZADD', key('drains'), 0, name)
end
return drained
