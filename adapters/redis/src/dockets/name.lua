-- ARGV: tag, batch. Nothing when the docket was struck.
local docket = key('of:' .. ARGV[1])
if redis.call('EXISTS', docket) == 1 then
  redis.call('HSET', docket, 'batch', ARGV[2])
end
return 1
