-- ARGV: worker. Returns 1 when it was told to take nothing more.
redis.call('ZREM', key('drains'), ARGV[1])
return redis.call('DEL', key('drain:' .. ARGV[1]))
