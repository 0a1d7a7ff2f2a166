-- Opens tasks, all or none. ARGV[7..], six a task: id, stage, model, payload, most attempts, most voids.
--
-- Answers the account's state, and how many tasks were not known before.
local refusal = enter_led()
if refusal then
    return refusal
end
if state() ~= 'active' then
    return reply('ok', state(), 0)
end
local fresh = 0
for at = 7, #ARGV, 6 do
    local id, stage = ARGV[at], ARGV[at + 1]
    if not load_task(id) then
        account.opened = account.opened + 1
        tasks[id] = {
            stage = stage, model = ARGV[at + 2],
            max_attempts = tonumber(ARGV[at + 4]), max_voids = tonumber(ARGV[at + 5]),
            tries = 0, voids = 0, due = 0, handed = 0, order = account.opened, attempts = {},
        }
        payloads[id] = ARGV[at + 3]
        local line = counts(stage)
        line.planned, line.open = line.planned + 1, line.open + 1
        save_task(id)
        fresh = fresh + 1
    end
end
leave(true)
return reply('ok', 'active', fresh)
