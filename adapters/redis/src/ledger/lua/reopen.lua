-- Takes a closed run up again with another limit, compare-and-set, once for each request.
--
-- ARGV[7] request, ARGV[8] and ARGV[9] the limit that is expected, ARGV[10] and ARGV[11] the new one: micro-dollars and calls (empty: none).
-- Answers a word; `mismatch` with the present limit, `below_used` with what is used.
local refusal = enter_led()
if refusal then
    return refusal
end
for _, request in ipairs(account.raises) do
    if request == ARGV[7] then
        return reply('ok', 'already')
    end
end
if account.state ~= 'closed' then
    return reply('ok', 'not_closed')
end
local limit = account.limit
if limit.usd ~= tonumber(ARGV[8]) or limit.calls ~= tonumber(ARGV[9]) then
    return reply('ok', 'mismatch', { limit.usd or false, limit.calls or false })
end
local raised = { usd = tonumber(ARGV[10]), calls = tonumber(ARGV[11]) }
local used = used_and_gone()
if not covers(raised, used) then
    return reply('ok', 'below_used', used)
end
account.state, account.limit, account.stage_limits = 'active', raised, {}
account.raises[#account.raises + 1] = ARGV[7]
changed = true
leave(false)
-- A released run's keys would expire under it.
for _, name in ipairs(KEYS) do
    redis.call('PERSIST', name)
end
return reply('ok', 'reopened')
