-- Fails tasks that are not decided, for the reason ARGV[7]. ARGV[8..] their ids. Answers how many.
local refusal = enter_led()
if refusal then
    return refusal
end
local failed = 0
for at = 8, #ARGV do
    local task = load_task(ARGV[at])
    if task and decide(ARGV[at], task, 'failed', clip(ARGV[7])) then
        failed = failed + 1
    end
end
leave(false)
return reply('ok', failed)
