-- Burns at most ARGV[7] attempts whose lease has run out, the longest overdue first. Answers how many.
local refusal = enter_led()
if refusal then
    return refusal
end
local overdue = redis.call('ZRANGEBYSCORE', leases_key, '-inf', now, 'LIMIT', 0, ARGV[7])
for _, name in ipairs(overdue) do
    local id = name:sub(9)
    local task = load_task(id)
    lapse(id, task)
    archive_if_over(task)
end
leave(false)
return reply('ok', #overdue)
