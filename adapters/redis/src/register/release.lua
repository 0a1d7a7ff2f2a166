-- ARGV: run, holder.
local run = key('run:' .. ARGV[1])
if holds(ARGV[2], run, now_ms()) then
  redis.call('HDEL', run, 'holder', 'until', 'lease')
end
return 0
