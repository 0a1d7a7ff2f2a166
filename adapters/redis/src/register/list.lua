-- ARGV: the highest place, how many to leave out, how many at most. Returns runs, the newest first.
local runs, now = {}, now_ms()
for i, id in ipairs(redis.call('ZREVRANGEBYSCORE', key('runs'), ARGV[1], '-inf', 'LIMIT', ARGV[2], ARGV[3])) do
  runs[i] = shown(id, now)
end
return runs
