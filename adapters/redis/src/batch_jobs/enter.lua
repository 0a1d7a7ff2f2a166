-- ARGV: tag, run, model, tasks, batch, holder, lease. One that is there stays as it is.
local job = key('of:' .. ARGV[1])
if redis.call('EXISTS', job) == 0 then
  redis.call('HSET', job, 'run', ARGV[2], 'model', ARGV[3], 'tasks', ARGV[4], 'batch', ARGV[5], 'holder', ARGV[6])
  redis.call('ZADD', key('tags'), now_ms() + tonumber(ARGV[7]), ARGV[1])
end
return 1
