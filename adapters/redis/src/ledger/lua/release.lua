-- Gives back the memory of a closed run, after ARGV[5] milliseconds: until then late settles still reach its audit record. Answers `released`, or
-- `open` and leaves it alone.
local refusal = enter()
if refusal then
    return refusal
end
if account.state ~= 'closed' then
    return reply('ok', 'open')
end
local keep = tonumber(ARGV[5])
for _, key in ipairs(KEYS) do
    if keep > 0 then
        redis.call('PEXPIRE', key, keep)
    else
        redis.call('UNLINK', key)
    end
end
return reply('ok', 'released')
