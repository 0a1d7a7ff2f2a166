-- ARGV: holder, lease. Returns what the holder has now: tag, run, model, tasks, batch.
local holder, lease, now, held = ARGV[1], tonumber(ARGV[2]), now_ms(), {}
local tags = redis.call('ZRANGE', key('tags'), 0, -1, 'WITHSCORES')
for i = 1, #tags, 2 do
  local tag, left = tags[i], tonumber(tags[i + 1]) - now
  local job = redis.call('HMGET', key('of:' .. tag), 'run', 'model', 'tasks', 'batch', 'holder')
  -- One whose lease ends later than any could was written before the server's clock was set back.
  if job[5] == holder or left <= 0 or left > 2 * lease then
    redis.call('HSET', key('of:' .. tag), 'holder', holder)
    redis.call('ZADD', key('tags'), now + lease, tag)
    held[#held + 1] = {tag, job[1], job[2], job[3], job[4]}
  end
end
return held
