-- Hands out at most ARGV[7] tasks that are ready, the longest ready first. Answers id, stage, model, payload and number of attempts of each.
local refusal = enter_led()
if refusal then
    return refusal
end
if state() ~= 'active' then
    return reply('ok', {})
end
local due = {}
for _, name in ipairs(redis.call('ZRANGEBYSCORE', ready_key, '-inf', now, 'LIMIT', 0, ARGV[7])) do
    local id = name:sub(9)
    local task = load_task(id)
    task.handed = later(now, account.republish)
    save_task(id)
    due[#due + 1] = { id, task.stage, task.model, redis.call('HGET', payloads_key, id) or '', #task.attempts }
end
leave(false)
return reply('ok', due)
