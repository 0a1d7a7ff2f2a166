-- Answers the tasks that are there after writes were lost, and whether each is decided. As many as were open at once.
local refusal = enter_led()
if refusal then
    return refusal
end
local list = {}
for _, id in ipairs(redis.call('HKEYS', tasks_key)) do
    list[#list + 1] = { id, load_task(id).ending and 1 or 0 }
end
return reply('ok', list)
