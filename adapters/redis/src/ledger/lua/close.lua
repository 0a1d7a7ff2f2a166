-- Ends the run, once nothing is started and nothing is open. Answers `closed`, or `not_yet` with what is started and what is open.
local refusal = enter_led()
if refusal then
    return refusal
end
local started, open = 0, 0
for _, line in pairs(account.counts) do
    started, open = started + line.running, open + line.open
end
if started > 0 or open > 0 then
    return reply('ok', 'not_yet', started, open)
end
if account.state ~= 'closed' then
    account.state, account.reason, account.paused = 'closed', nil, nil
    changed = true
end
leave(false)
return reply('ok', 'closed')
