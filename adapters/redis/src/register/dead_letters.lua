-- ARGV: the highest number, how many at most. Returns dead letters, the newest first.
local graves = {}
for i, number in ipairs(redis.call('ZREVRANGEBYSCORE', key('graves'), ARGV[1], '-inf', 'LIMIT', 0, ARGV[2])) do
  graves[i] = shown_letter(number)
end
return graves
