-- ARGV: run. Returns it in a list, or an empty one.
if redis.call('EXISTS', key('run:' .. ARGV[1])) == 0 then
  return {}
end
return {shown(ARGV[1], now_ms())}
