-- Replaces the limit, compare-and-set, once for each request.
--
-- ARGV[5] request, ARGV[6] and ARGV[7] the limit that is expected, ARGV[8] and ARGV[9] the new one: micro-dollars and calls (empty: none).
-- Answers a word; `mismatch` with the present limit, `below_used` with what is used.
local refusal = enter()
if refusal then
    return refusal
end
for _, request in ipairs(account.raises) do
    if request == ARGV[5] then
        return reply('ok', 'already')
    end
end
if account.state == 'closed' then
    return reply('ok', 'closed')
end
local limit = account.limit
if limit.usd ~= tonumber(ARGV[6]) or limit.calls ~= tonumber(ARGV[7]) then
    return reply('ok', 'mismatch', { limit.usd or false, limit.calls or false })
end
local raised = { usd = tonumber(ARGV[8]), calls = tonumber(ARGV[9]) }
local used = used_and_gone()
if not covers(raised, used) then
    return reply('ok', 'below_used', used)
end
account.limit = raised
account.raises[#account.raises + 1] = ARGV[5]
changed = true
leave(false)
return reply('ok', 'raised')
