-- ARGV: worker, how long that is remembered. Returns 0 when there is none by that name.
if not beats(ARGV[1], now_ms()) then
  return 0
end
redis.call('SET', key('drain:' .. ARGV[1]), '1', 'PX', ARGV[2])
redis.call('ZADD', key('drains'), 0, ARGV[1])
return 1
