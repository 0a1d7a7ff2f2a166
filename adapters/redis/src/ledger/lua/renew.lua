-- Extends leases. ARGV[5] how long they shall last at least, in milliseconds; empty for one lease. ARGV[6..], three an attempt: task, number,
-- nonce. Answers the places in this list of those still in flight.
local refusal = enter()
if refusal then
    return refusal
end
local span = ARGV[5] == '' and account.lease or tonumber(ARGV[5])
local alive = {}
for at = 6, #ARGV, 3 do
    local task = load_task(ARGV[at])
    local attempt = task and find(task.attempts, tonumber(ARGV[at + 1]), ARGV[at + 2])
    if attempt and attempt.state == 'started' then
        attempt.lease = math.max(attempt.lease, later(now, span))
        save_task(ARGV[at])
        alive[#alive + 1] = (at - 6) / 3
    end
end
leave(false)
return reply('ok', alive)
