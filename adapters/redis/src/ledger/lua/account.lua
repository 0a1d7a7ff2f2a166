-- Answers the account, and remembers the time at which it was looked at.
local refusal = enter()
if refusal then
    return refusal
end
if now > account.clock then
    changed = true
    -- A look is answered even where nothing can be written.
    pcall(leave, false)
end

local told, reason, paused = state(), account.reason or false, account.paused or false
if told ~= account.state then
    told = 'shaken'
    paused = account.state == 'paused' and account.reason
    reason = account.lost and 'Redis has lost writes that it had acknowledged: the coordinator rebuilds the books'
        or 'the Redis server was restarted or replaced: the coordinator makes sure that the books are whole'
end

local lines, stages, subtotals, alerts = {}, {}, {}, {}
for stage, models in pairs(account.books) do
    for model, line in pairs(models) do
        lines[#lines + 1] = { stage, model, line.started, line.spent, line.burned }
    end
end
for stage, line in pairs(account.counts) do
    stages[#stages + 1] = {
        stage, line.planned, line.open, line.done, line.failed, line.archived, line.running, line.voided, line.burned,
    }
end
for stage, models in pairs(account.archived) do
    for model, endings in pairs(models) do
        for ending, sums in pairs(endings) do
            subtotals[#subtotals + 1] = { stage, model, ending, sums.tasks, sums.attempts, sums.spent, sums.burned }
        end
    end
end
for i, entry in ipairs(account.alerts) do
    alerts[i] = { entry.at, entry.text }
end
local limits = {}
for stage, limit in pairs(account.stage_limits) do
    limits[#limits + 1] = { stage, show_limit(limit) }
end
return reply(
    'ok', account.prices, show_limit(account.limit), limits, { told, reason, paused }, account.epoch, account.holder,
    account.lease, account.republish, lines, stages, subtotals, now, account.last_seq, alerts, account.alerts_total,
    account.raises, account.audited
)
