-- ARGV: number.
local grave = key('grave:' .. ARGV[1])
if redis.call('EXISTS', grave) == 1 then
  redis.call('HSET', grave, 'retried', now_ms())
end
return 0
