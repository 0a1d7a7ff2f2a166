-- Replaces the limits by stage. ARGV[7..], three a stage: stage, micro-dollars, calls (empty: none).
local refusal = enter_led()
if refusal then
    return refusal
end
account.stage_limits = {}
for at = 7, #ARGV, 3 do
    account.stage_limits[ARGV[at]] = { usd = tonumber(ARGV[at + 1]), calls = tonumber(ARGV[at + 2]) }
end
changed = true
leave(false)
return reply('ok')
