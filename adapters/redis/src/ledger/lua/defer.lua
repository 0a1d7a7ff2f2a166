-- Puts an idle, undecided task, ARGV[5], off for ARGV[6] milliseconds: it is neither begun nor handed out before, and is handed out then.
local refusal = enter()
if refusal then
    return refusal
end
local task = load_task(ARGV[5])
if task and ready_at(task) then
    task.due, task.handed = math.max(task.due, later(now, tonumber(ARGV[6]))), 0
    save_task(ARGV[5])
end
leave(false)
return reply('ok')
