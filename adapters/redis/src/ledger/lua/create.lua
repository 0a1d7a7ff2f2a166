-- Creates the run's account, unless it is there.
--
-- ARGV[5] hash of the prices, ARGV[6] and ARGV[7] limit in micro-dollars and calls (empty: none), ARGV[8] lease and ARGV[9] republish interval in
-- milliseconds. Answers `ok`, or `prices` with the hash that the account is frozen to.
local refusal = enter()
if account then
    if account.prices ~= ARGV[5] then
        return reply('prices', account.prices)
    end
    return reply('ok')
end
if type(refusal) ~= 'table' or refusal[1] ~= 'unknown' then
    return refusal
end
account = new_account(ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9]))
now, changed = server_time(), true
leave(true)
return reply('ok')
