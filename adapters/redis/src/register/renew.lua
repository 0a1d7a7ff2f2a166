-- ARGV: holder, lease, runs. Returns those that the holder still has.
local holder, lease, now, still = ARGV[1], tonumber(ARGV[2]), now_ms(), {}
for i = 3, #ARGV do
  local run = key('run:' .. ARGV[i])
  if holds(holder, run, now) then
    without_room()
    redis.call('HSET', run, 'until', now + lease, 'lease', lease)
    still[#still + 1] = ARGV[i]
  end
end
return still
