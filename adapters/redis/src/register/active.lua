-- ARGV: the lowest place, how many at most. Returns runs that have not ended, the oldest first.
local runs, now = {}, now_ms()
for i, id in ipairs(redis.call('ZRANGEBYSCORE', key('active'), ARGV[1], '+inf', 'LIMIT', 0, ARGV[2])) do
  runs[i] = shown(id, now)
end
return runs
