-- ARGV: tag.
redis.call('DEL', key('of:' .. ARGV[1]))
redis.call('ZREM', key('tags'), ARGV[1])
return 1
