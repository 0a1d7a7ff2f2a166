-- ARGV: run, holder, lease. Returns 1 when the holder has it.
local run, holder, lease = key('run:' .. ARGV[1]), ARGV[2], tonumber(ARGV[3])
local known = redis.call('HMGET', run, 'order', 'ending', 'holder', 'until', 'lease')
if not known[1] or known[2] then
  return 0
end
local now = now_ms()
if known[3] and known[3] ~= holder then
  local left, whole = tonumber(known[4]) - now, tonumber(known[5])
  if left > whole then
    -- The server's clock was set back. Nobody waits for longer than a whole lease because of that.
    redis.call('HSET', run, 'until', now + whole)
  end
  if left > 0 then
    return 0
  end
end
redis.call('HSET', run, 'holder', holder, 'until', now + lease, 'lease', lease)
return 1
