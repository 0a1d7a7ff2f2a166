-- Reserves the worst case of an attempt and starts it, or says why not.
--
-- ARGV[5] task, ARGV[6] nonce, ARGV[7..10] worst case, ARGV[11] `1`: write something even for a grant that is only repeated, so that the
-- caller can wait for a replica to have it.
local refusal = enter()
if refusal then
    return refusal
end
local id, nonce = ARGV[5], ARGV[6]
local worst = { tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10]) }

-- Why nothing of this task may begin, whoever asks. A halted account answers before a nonce is recognised: after a cancel is
-- acknowledged no grant is handed out, not even one whose first reply was lost.
local function refuses(task)
    if account.state == 'closed' then
        return 'closed'
    elseif task.ending == 'done' then
        return 'already_settled'
    elseif task.ending == 'failed' then
        return 'failed'
    elseif state() ~= 'active' then
        return state()
    end
end

-- Why the budget does not cover this worst case: never beats not now, the run beats the stage.
local function shortage(task)
    local used, gone = used_and_gone()
    for i = 1, 4 do
        if used[i] + worst[i] > NUMBER_MAX then
            return 'overflow'
        end
    end
    local stage_used, stage_gone = used_and_gone(task.stage)
    local stage_limit = account.stage_limits[task.stage] or {}
    for _, sum in ipairs({ used, gone, stage_used, stage_gone }) do
        add(sum, worst)
    end
    if not covers(account.limit, gone) then
        return 'no_budget', 'run'
    elseif not covers(stage_limit, stage_gone) then
        return 'no_budget', 'stage'
    elseif not covers(account.limit, used) then
        return 'no_budget_now', 'run'
    elseif not covers(stage_limit, stage_used) then
        return 'no_budget_now', 'stage'
    end
end

-- Starts an attempt of an idle, undecided task. A nonce that had its attempt gets no second one: its holder is late, and the task is
-- due for another delivery.
local function start(task)
    local last = 0
    for _, attempt in ipairs(task.attempts) do
        if attempt.nonce == nonce then
            return 'not_due', math.max(task.due, now)
        end
        last = attempt.number
    end
    if task.due > now then
        return 'not_due', task.due
    end
    local lack, purse = shortage(task)
    if lack then
        return lack, purse
    end
    local lease = later(now, account.lease)
    task.attempts[#task.attempts + 1] = {
        number = last + 1, nonce = nonce, worst = worst, state = 'started', lease = lease,
        begun = now, ended = 0, note = '',
    }
    task.tries = task.tries + 1
    local line = counts(task.stage)
    line.running = line.running + 1
    add(books(task.stage, task.model).started, worst)
    save_task(id)
    return 'granted', last + 1, lease
end

local function begin(task)
    local refused = refuses(task)
    if refused then
        return refused
    end
    local attempt = running(task)
    if attempt and attempt.lease > now then
        if attempt.nonce == nonce then
            changed = changed or ARGV[11] == '1'
            return 'granted', attempt.number, attempt.lease
        end
        return 'busy', attempt.lease
    end
    if attempt then
        lapse(id, task)
        refused = refuses(task)
        if refused then
            return refused
        end
    end
    return start(task)
end

local task = load_task(id)
if not task then
    -- In an account that is not whole it may have been opened in a write that is lost.
    return reply('ok', sound() and 'closed' or state())
end
local word, first, second = begin(task)
leave(true)
return reply('ok', word, first or false, second or false)
