-- ARGV: run, holder, ending, reason, how long the spec is kept, how many ended runs are kept. Returns 1 when the run has ended so.
local id, holder, ending, reason, kept, most = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local run, now = key('run:' .. id), now_ms()
local known = redis.call('HMGET', run, 'ending', 'reason')
if known[1] then
  return (known[1] == ending and known[2] == reason) and 1 or 0
end
if not holds(holder, run, now) then
  return 0
end
without_room()
redis.call('HSET', run, 'ending', ending, 'reason', reason, 'ended', now)
redis.call('HDEL', run, 'holder', 'until', 'lease')
redis.call('PEXPIRE', key('spec:' .. id), kept)
redis.call('ZREM', key('active'), id)
redis.call('ZADD', key('ended'), redis.call('INCR', key('count')), id)
while redis.call('ZCARD', key('ended')) > most do
  local oldest = redis.call('ZPOPMIN', key('ended'))[1]
  redis.call('ZREM', key('runs'), oldest)
  redis.call('DEL', key('run:' .. oldest), key('spec:' .. oldest))
end
return 1
