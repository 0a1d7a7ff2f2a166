-- Tells the coordinator whether the account is whole, and takes it for whole when nobody objects.
--
-- ARGV[7] tasks whose results the run's segments hold. Answers `whole`; `waiting` with milliseconds to wait; or `broken`: writes are lost, for
-- certain. In another server process than before, everybody who was told of a write has one lease to show it (`enter`).
local refusal = enter_led()
if refusal then
    return refusal
end
local planned = 0
for _, line in pairs(account.counts) do
    planned = planned + line.planned
end
if planned < tonumber(ARGV[7]) and not account.lost then
    -- They were opened once: this is an older account, or a new one in the place of one that is gone.
    account.lost = true
    alert('Redis has lost tasks whose results are stored: nothing begins until the books are rebuilt')
end
if account.lost then
    leave(false)
    return reply('ok', 'broken')
end
if account.server == server then
    return reply('ok', 'whole')
end
if account.suspect ~= server then
    account.suspect, account.suspect_since = server, now
    changed = true
end
local wait = account.suspect_since + account.lease - now
if wait > 0 then
    leave(false)
    return reply('ok', 'waiting', wait)
end
account.server, account.suspect, account.suspect_since = server, nil, nil
changed = true
leave(false)
return reply('ok', 'whole')
