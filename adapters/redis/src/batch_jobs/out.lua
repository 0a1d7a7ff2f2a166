-- ARGV: run. Returns how many of its tasks are in batches.
local tasks = 0
for _, tag in ipairs(redis.call('ZRANGE', key('tags'), 0, -1)) do
  local job = redis.call('HMGET', key('of:' .. tag), 'run', 'tasks')
  if job[1] == ARGV[1] then
    tasks = tasks + tonumber(job[2])
  end
end
return tasks
