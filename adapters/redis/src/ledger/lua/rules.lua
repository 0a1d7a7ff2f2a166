-- The rules of `gristmill_domain::ledger`, where their tables are: what each word makes of an attempt, a task and the books. The contract's
-- random histories hold the two against each other.

-- Amounts are {micro-dollars, calls, input tokens, output tokens}.
local function add(sum, amount)
    for i = 1, 4 do
        sum[i] = math.min(sum[i] + amount[i], NUMBER_MAX)
    end
end

-- Takes an amount out of a sum; false, and the sum at zero, when it is not in there.
local function take(sum, amount)
    for i = 1, 4 do
        if sum[i] < amount[i] then
            sum[1], sum[2], sum[3], sum[4] = 0, 0, 0, 0
            return false
        end
    end
    for i = 1, 4 do
        sum[i] = sum[i] - amount[i]
    end
    return true
end

local function fits(amount, bound)
    return amount[1] <= bound[1] and amount[2] <= bound[2] and amount[3] <= bound[3] and amount[4] <= bound[4]
end

local function is_zero(amount)
    return amount[1] == 0 and amount[2] == 0 and amount[3] == 0 and amount[4] == 0
end

local function entry(map, key, new)
    if map[key] == nil then
        map[key] = new()
    end
    return map[key]
end

local function empty()
    return {}
end

local function nothing()
    return { 0, 0, 0, 0 }
end

local function books(stage, model)
    return entry(entry(account.books, stage, empty), model, function()
        return { started = nothing(), spent = nothing(), burned = nothing() }
    end)
end

local function counts(stage)
    return entry(account.counts, stage, function()
        return { planned = 0, open = 0, done = 0, failed = 0, archived = 0, running = 0, voided = 0, burned = 0 }
    end)
end

local function subtotal(stage, model, ending)
    return entry(entry(entry(account.archived, stage, empty), model, empty), ending, function()
        return { tasks = 0, attempts = 0, spent = nothing(), burned = nothing() }
    end)
end

-- What counts against a limit, of the run or of one stage: all of it, and what nothing in flight can give back.
local function used_and_gone(only)
    local used, gone = nothing(), nothing()
    for stage, models in pairs(account.books) do
        if not only or stage == only then
            for _, line in pairs(models) do
                add(used, line.started)
                add(used, line.spent)
                add(used, line.burned)
                add(gone, line.spent)
                add(gone, line.burned)
            end
        end
    end
    return used, gone
end

local function covers(limit, amount)
    return (not limit.usd or amount[1] <= limit.usd) and (not limit.calls or amount[2] <= limit.calls)
end

-- Cuts a reason to the 500 bytes that the log keeps, between two characters.
local function clip(text)
    local last = 500
    if #text <= last then
        return text
    end
    while last > 0 and text:byte(last + 1) >= 128 and text:byte(last + 1) < 192 do
        last = last - 1
    end
    return text:sub(1, last)
end

local function hex(bytes)
    return (bytes:gsub('.', function(byte)
        return string.format('%02x', byte:byte())
    end))
end

local function name(id, attempt)
    return string.format('attempt %d of task %s', attempt.number, hex(id))
end

local function dollars(micros)
    return string.format((micros == 0 or micros >= 1000000) and '$%.2f' or '$%.4f', micros / 1000000)
end

-- The column `freeze` of the table of accounts.
local function freeze(reason)
    if account.state == 'closed' then
        return
    end
    alert(reason)
    if account.state == 'active' or account.state == 'paused' then
        account.paused = account.state == 'paused' and account.reason or nil
        account.state, account.reason = 'frozen', reason
        changed = true
    end
end

-- Books that fall below zero: no sequence of words can do it.
local function balance(balanced)
    if not balanced then
        freeze('the books do not balance: the ledger\'s store was changed from outside')
    end
end

-- An attempt that cost more than it could: the price table or the provider is not to be trusted. One that was presumed, and booked with what was
-- left of the limit, may cost its own worst case.
local function watch(id, attempt, actual)
    local worst = attempt.full or attempt.worst
    if not fits(actual, worst) then
        freeze(string.format(
            '%s cost %s, %.0f calls, %.0f + %.0f tokens, above its worst case of %s, %.0f calls, %.0f + %.0f tokens',
            name(id, attempt),
            dollars(actual[1]), actual[2], actual[3], actual[4],
            dollars(worst[1]), worst[2], worst[3], worst[4]
        ))
    end
end

-- Decides a task, unless something has before; whether this did.
local function decide(id, task, ending, text)
    if task.ending then
        return false
    end
    account.last_seq = account.last_seq + 1
    task.seq, task.ending = account.last_seq, ending
    local line = counts(task.stage)
    line.open = math.max(line.open - 1, 0)
    line[ending] = line[ending] + 1
    decisions[#decisions + 1] = { id = id, text = text }
    save_task(id)
    return true
end

-- Makes a task due again, or fails it when its attempts are used up; whether this decided it.
local function retry(id, task, reason, wait)
    local spent
    if task.tries >= task.max_attempts then
        spent = string.format('%d attempts used up', task.tries)
    elseif task.voids >= task.max_voids then
        spent = string.format('%d attempts refused before they cost anything', task.voids)
    else
        task.due, task.handed = later(now, wait), 0
        return false
    end
    return decide(id, task, 'failed', clip(spent .. '; the last: ' .. reason))
end

-- Moves an absorbed task of which nothing runs to the archived subtotals.
local function archive_if_over(task)
    if not task.ending or not task.absorbed or task.archived or running(task) then
        return
    end
    task.archived = true
    local line = counts(task.stage)
    line.archived = line.archived + 1
    local sums = subtotal(task.stage, task.model, task.ending)
    sums.tasks = sums.tasks + 1
    sums.attempts = sums.attempts + #task.attempts
    for _, attempt in ipairs(task.attempts) do
        if attempt.state == 'settled' or attempt.state == 'late' then
            add(sums.spent, attempt.actual)
        elseif attempt.state == 'burned' then
            add(sums.burned, attempt.worst)
        end
    end
end

-- The attempt of a list that a fence was granted for.
local function find(attempts, number, nonce)
    for _, attempt in ipairs(attempts) do
        if attempt.number == number and attempt.nonce == nonce then
            return attempt
        end
    end
end

-- The same; in rebuilt books, the first unknown fence of a task is that of the attempt that was only presumed.
local function find_or_presumed(attempts, number, nonce)
    local found = find(attempts, number, nonce)
    if found then
        return found
    end
    for _, attempt in ipairs(attempts) do
        if attempt.presumed and attempt.state == 'burned' then
            attempt.number, attempt.nonce, attempt.presumed = number, nonce, nil
            return attempt
        end
    end
end

local function stop(stage)
    local line = counts(stage)
    line.running = math.max(line.running - 1, 0)
    return line
end

-- Takes a part of what is still presumed of other attempts, as much of it as `need` asks for: they share what was left of the limit.
local function take_presumed(attempts, stage, model, ending, need)
    local took = false
    for _, attempt in ipairs(attempts) do
        if attempt.presumed and attempt.state == 'burned' then
            local part = nothing()
            for i = 1, 2 do
                part[i] = math.min(need[i], attempt.worst[i])
                need[i], attempt.worst[i] = need[i] - part[i], attempt.worst[i] - part[i]
                took = took or part[i] > 0
            end
            balance(take(books(stage, model).burned, part))
            if ending then
                balance(take(subtotal(stage, model, ending).burned, part))
            end
        end
    end
    return took
end

-- Makes room on the books for an attempt that was presumed at less than it has cost.
local function make_room(attempt, actual)
    local need = nothing()
    for i = 1, 2 do
        need[i] = math.max(actual[i] - attempt.worst[i], 0)
    end
    for _, id in ipairs(is_zero(need) and {} or redis.call('HKEYS', tasks_key)) do
        local task = load_task(id)
        if not is_zero(need) and take_presumed(task.attempts, task.stage, task.model, nil, need) then
            save_task(id)
        end
    end
    for _, id in ipairs(is_zero(need) and {} or redis.call('HKEYS', remnants_key)) do
        local kept = load_remnants(id)
        if not is_zero(need) and take_presumed(kept.attempts, kept.stage, kept.model, kept.ending, need) then
            save_remnants(id)
        end
    end
end

-- The first word after a burn; only money.
local function book_late(id, attempt, stage, model, word)
    local actual = word.actual or nothing()
    if attempt.audited then
        return 'already'
    end
    if account.state == 'closed' then
        attempt.audited = actual
        account.audited = account.audited + 1
        return 'audited'
    end
    if attempt.full then
        make_room(attempt, actual)
    end
    local line = books(stage, model)
    add(line.spent, actual)
    balance(take(line.burned, attempt.worst))
    attempt.state, attempt.actual = 'late', actual
    attempt.note = clip(attempt.note .. '; late: ' .. word.note)
    watch(id, attempt, actual)
    return 'corrected'
end

-- What a word does to an attempt's money: its row of the table of attempts.
local function book(id, attempt, stage, model, word)
    if attempt.state == 'burned' and word.kind ~= 'burn' then
        return book_late(id, attempt, stage, model, word)
    end
    if attempt.state == 'voided' and word.kind == 'settle' and not is_zero(word.actual) then
        alert(name(id, attempt) .. ' was voided, and now says that it cost something')
    end
    if attempt.state ~= 'started' then
        return 'already'
    end
    local line = books(stage, model)
    local stopped = stop(stage)
    if word.kind == 'settle' then
        add(line.spent, word.actual)
        attempt.state, attempt.actual = 'settled', word.actual
    elseif word.kind == 'void' then
        attempt.state = 'voided'
        stopped.voided = stopped.voided + 1
    else
        add(line.burned, attempt.worst)
        attempt.state = 'burned'
        stopped.burned = stopped.burned + 1
    end
    balance(take(line.started, attempt.worst))
    attempt.lease = nil
    attempt.ended, attempt.note = now, word.note
    if word.kind == 'settle' then
        watch(id, attempt, word.actual)
    end
    return 'booked'
end

-- What the first word about an attempt means for its task; whether it decided it.
local function follow(id, task, word)
    if word.kind == 'settle' and word.outcome == 'done' then
        return decide(id, task, 'done', word.text)
    elseif word.kind == 'settle' and word.outcome == 'failed' then
        return decide(id, task, 'failed', clip(word.text))
    end
    if word.kind == 'void' then
        task.tries = math.max(task.tries - 1, 0)
        task.voids = task.voids + 1
    end
    return retry(id, task, word.text, word.wait)
end

-- Takes a word about an attempt that was found; what to answer, and whether it decided the task.
local function resolve(id, task, attempt, word)
    local money = book(id, attempt, task.stage, task.model, word)
    local decided = false
    if money == 'booked' then
        decided = follow(id, task, word)
    elseif money == 'corrected' and word.kind == 'settle' and word.outcome == 'done' then
        -- A late failure means nothing: the task is due anyway.
        decided = decide(id, task, 'done', word.text)
    end
    archive_if_over(task)
    if money ~= 'already' then
        save_task(id)
    end
    return money, decided and 1 or 0
end

-- Burns the running attempt because of its lease.
local function lapse(id, task)
    local attempt = running(task)
    local reason = 'the lease ran out: its worker died, or lost touch'
    local word = { kind = 'burn', text = reason, note = reason, wait = 0 }
    book(id, attempt, task.stage, task.model, word)
    follow(id, task, word)
    save_task(id)
end
