-- ARGV: run. Returns what it was started with, or nothing.
return redis.call('GET', key('spec:' .. ARGV[1]))
