-- ARGV: the first name, how many at most. Returns whether there are more, the last name looked at, and the workers whose beat holds, by name.
local now, found, last = now_ms(), {}, ''
forget_silent(now)
local names = redis.call('ZRANGEBYLEX', key('names'), ARGV[1], '+', 'LIMIT', 0, ARGV[2])
for _, name in ipairs(names) do
  last = name
  if beats(name, now) then
    local worker = redis.call('HMGET', key('worker:' .. name), 'report', 'since', 'beat')
    local draining = redis.call('EXISTS', key('drain:' .. name))
    found[#found + 1] = {name, worker[1], worker[2], worker[3], math.max(now - tonumber(worker[3]), 0), draining}
  end
end
return {#names == tonumber(ARGV[2]) and 1 or 0, last, found}
