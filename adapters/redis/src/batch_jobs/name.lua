-- ARGV: tag, batch. Nothing when the batch job was struck.
local job = key('of:' .. ARGV[1])
if redis.call('EXISTS', job) == 1 then
  redis.call('HSET', job, 'batch', ARGV[2])
end
return 1
