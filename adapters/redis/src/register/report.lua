-- ARGV: run, holder, report.
local run, now = key('run:' .. ARGV[1]), now_ms()
if holds(ARGV[2], run, now) then
  without_room()
  redis.call('HSET', run, 'report', ARGV[3], 'reported', now)
end
return 0
