-- ARGV: the first name, how many at most. Returns whether there are more, the last name looked at, and the drained ones of them, by name.
local found, last = {}, ''
local names = redis.call('ZRANGEBYLEX', key('drains'), ARGV[1], '+', 'LIMIT', 0, ARGV[2])
for _, name in ipairs(names) do
  last = name
  if redis.call('EXISTS', key('drain:' .. name)) == 1 then
    found[#found + 1] = name
  else
    redis.call('ZREM', key('drains'), name)
  end
end
return {#names == tonumber(ARGV[2]) and 1 or 0, last, found}
