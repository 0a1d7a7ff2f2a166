-- ARGV: holder.
for _, tag in ipairs(redis.call('ZRANGE', key('tags'), 0, -1)) do
  if redis.call('HGET', key('of:' .. tag), 'holder') == ARGV[1] then
    redis.call('HSET', key('of:' .. tag), 'holder', '')
    redis.call('ZADD', key('tags'), 0, tag)
  end
end
return 1
