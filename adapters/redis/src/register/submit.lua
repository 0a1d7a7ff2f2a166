-- ARGV: run, name, spec, submitter's key, how long keys are remembered, 1 when a run that was finished or cancelled is taken up again, when it was submitted or nothing for now. Returns 1 when it is new, 0 when it was there, or the run whose key it is.
local id, name, spec, kept = ARGV[1], ARGV[2], ARGV[3], ARGV[5]
local request, run, spec_key = key('request:' .. ARGV[4]), key('run:' .. id), key('spec:' .. id)

local named = redis.call('GET', request)
if named and named ~= id then
  return named
end
redis.call('SET', request, id, 'PX', kept)

local known = redis.call('HMGET', run, 'order', 'ending')
if not known[1] then
  local order = redis.call('INCR', key('count'))
  redis.call('HSET', run, 'name', name, 'order', order, 'submitted', ARGV[7] ~= '' and ARGV[7] or now_ms())
  redis.call('SET', spec_key, spec)
  redis.call('ZADD', key('runs'), order, id)
  redis.call('ZADD', key('active'), order, id)
  return 1
end
local over = known[2] == 'finished' or known[2] == 'cancelled'
if over and ARGV[6] ~= '1' then
  return 0
end
redis.call('HSET', run, 'name', name)
redis.call('SET', spec_key, spec)
if over then
  -- It said how the run had ended.
  redis.call('HDEL', run, 'report', 'reported')
end
if known[2] then
  redis.call('ZADD', key('active'), known[1], id)
  redis.call('ZREM', key('ended'), id)
  redis.call('HDEL', run, 'ending', 'reason', 'ended')
end
return 0
