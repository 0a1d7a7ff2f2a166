-- How records are answered: lists, since Redis knows no maps in its older protocol.

local function show_attempts(attempts)
    local list = {}
    for i, attempt in ipairs(attempts) do
        list[i] = {
            attempt.number, attempt.nonce, attempt.worst, attempt.state, attempt.lease or 0, attempt.actual or false,
            attempt.begun, attempt.ended, attempt.note, attempt.audited or false,
        }
    end
    return list
end

-- What the resolved attempts of a task count for.
local function cost(task)
    local sum = nothing()
    for _, attempt in ipairs(task.attempts) do
        if attempt.state == 'settled' or attempt.state == 'late' then
            add(sum, attempt.actual)
        elseif attempt.state == 'burned' then
            add(sum, attempt.worst)
        end
    end
    return sum
end

local function show_limit(limit)
    return { limit.usd or false, limit.calls or false }
end
