-- Answers at most ARGV[6] entries of the results stream after position ARGV[5]: position, task, stage, model, ending, result or reason,
-- cost, attempts.
local refusal = enter()
if refusal then
    return refusal
end
local first = string.format('%.0f-0', tonumber(ARGV[5]) + 1)
local settled = {}
for _, entry in ipairs(redis.call('XRANGE', stream_key, first, '+', 'COUNT', ARGV[6])) do
    local id = entry[2][2]
    local task = load_task(id)
    settled[#settled + 1] = {
        task.seq, id, task.stage, task.model, task.ending, redis.call('HGET', results_key, id), cost(task),
        show_attempts(task.attempts),
    }
end
return reply('ok', settled)
