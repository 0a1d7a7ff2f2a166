-- Forgets decided tasks, at once or when their running attempt ends. ARGV[7..] their ids. Answers how many are archived, waiting, absent and
-- unfinished.
local refusal = enter_led()
if refusal then
    return refusal
end
local archived, waiting, absent, unfinished = 0, 0, 0, 0
for at = 7, #ARGV do
    local id = ARGV[at]
    local task = load_task(id)
    if not task or task.archived then
        absent = absent + 1
    elseif not task.ending then
        unfinished = unfinished + 1
    else
        task.absorbed = true
        archive_if_over(task)
        save_task(id)
        if task.archived then
            archived = archived + 1
        else
            waiting = waiting + 1
        end
    end
end
leave(false)
return reply('ok', archived, waiting, absent, unfinished)
