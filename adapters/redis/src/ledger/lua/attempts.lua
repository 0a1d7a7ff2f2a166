-- Answers the attempts of a task, ARGV[5]: all of them until it is absorbed, only the burned ones after.
local refusal = enter()
if refusal then
    return refusal
end
local task = load_task(ARGV[5]) or load_remnants(ARGV[5])
return reply('ok', task and show_attempts(task.attempts) or {})
