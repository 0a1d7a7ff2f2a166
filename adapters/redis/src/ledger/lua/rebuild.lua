-- Makes the books whole again after writes were lost: what the segments hold is spent as they say, every other open task has cost one worst
-- case, and a late settle corrects that. All that is presumed together is at most what is left of the limit: no more can have begun.
--
-- So the books never pass the limit. What is stored was covered by the limit in force then; where it passes the one that is known, a raise is
-- among the writes that are lost, and the limit is set to what is spent.
--
-- ARGV[5] and ARGV[6] the coordinator's epoch. ARGV[7..11] the account as in `create.lua`, for when it is gone. ARGV[12] newest position of the
-- results stream that the coordinator knows. ARGV[13..15] numbers of lines, stored tasks and open tasks that follow:
--   lines, 13 each: stage, model, ending, tasks, attempts, spent, burned: the stored tasks, summed
--   stored tasks: id; those of the survivors whose results the segments hold
--   open tasks, 10 each: as in `open.lua`, and the worst case: all that may have begun, the survivors that are not decided among them
-- Answers `rebuilt` with the number of attempts presumed; `whole` when there is nothing to do, as when it is sent again; `missing` with
-- a survivor that no list names.
local NONCE = string.rep('\0', 8)

local refusal = enter()
if account then
    refusal = enter_led()
elseif type(refusal) == 'table' and refusal[1] == 'unknown' then
    refusal = nil
    account = new_account(ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11]))
    account.epoch, account.holder, account.lost = tonumber(ARGV[5]), ARGV[6], true
    now = server_time()
end
if refusal then
    return refusal
end
if sound() then
    return reply('ok', 'whole')
end

local lines, stored, open = tonumber(ARGV[13]), tonumber(ARGV[14]), tonumber(ARGV[15])
local first_stored = 16 + lines * 13
local first_open = first_stored + stored
local is_stored, worst_of = {}, {}
for at = first_stored, first_open - 1 do
    is_stored[ARGV[at]] = true
end
local function amount(at)
    return { tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]) }
end
for at = first_open, first_open + open * 10 - 1, 10 do
    worst_of[ARGV[at]] = amount(at + 6)
end

-- Every survivor must be named before anything is changed.
local survivors = redis.call('HKEYS', tasks_key)
for _, id in ipairs(survivors) do
    if not is_stored[id] and not load_task(id).ending and not worst_of[id] then
        return reply('ok', 'missing', id)
    end
end

-- Books and counts start from what is stored.
for _, line in pairs(account.counts) do
    line.planned, line.open, line.done, line.failed, line.archived, line.running = 0, 0, 0, 0, 0, 0
end
account.books, account.archived = {}, {}
for at = 16, first_stored - 1, 13 do
    local stage, model, ending, number = ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3])
    local sums = subtotal(stage, model, ending)
    sums.tasks, sums.attempts = sums.tasks + number, sums.attempts + tonumber(ARGV[at + 4])
    add(sums.spent, amount(at + 5))
    add(sums.burned, amount(at + 9))
    add(books(stage, model).spent, amount(at + 5))
    add(books(stage, model).burned, amount(at + 9))
    local line = counts(stage)
    line.planned, line.archived = line.planned + number, line.archived + number
    line[ending] = line[ending] + number
end

-- What the segments hold, and what survivors have paid or begun, is known; the rest of the limit bounds what is presumed.
local presumed = 0
local guesses = {}
local reason = 'Redis lost writes: whether it was called, and what it cost, is not known'

-- Books a task that is not stored.
local function keep(id, task)
    local line = counts(task.stage)
    line.planned = line.planned + 1
    line[task.ending or 'open'] = line[task.ending or 'open'] + 1
    local attempt = running(task)
    if attempt or not task.ending then
        line.burned = line.burned + 1
        presumed = presumed + 1
    end
    if attempt then
        attempt.state, attempt.lease, attempt.ended, attempt.note = 'burned', nil, now, reason
    elseif not task.ending then
        local last = task.attempts[#task.attempts]
        local guess = {
            number = (last and last.number or 0) + 1, nonce = NONCE, worst = nothing(), full = worst_of[id], state = 'burned',
            presumed = true, begun = now, ended = now, note = reason,
        }
        task.attempts[#task.attempts + 1] = guess
        guesses[#guesses + 1] = { task = task, attempt = guess }
    end
    if not task.ending then
        task.due, task.handed = now, 0
    end
    for _, each in ipairs(task.attempts) do
        if each.state == 'settled' or each.state == 'late' then
            add(books(task.stage, task.model).spent, each.actual)
        elseif each.state == 'burned' then
            add(books(task.stage, task.model).burned, each.worst)
        end
    end
    archive_if_over(task)
    save_task(id)
end

local gone = {}
for _, id in ipairs(survivors) do
    local task = load_task(id)
    if is_stored[id] then
        gone[#gone + 1] = id
    else
        keep(id, task)
    end
end
for at = first_open, first_open + open * 10 - 1, 10 do
    local id = ARGV[at]
    if not load_task(id) then
        account.opened = account.opened + 1
        tasks[id] = {
            stage = ARGV[at + 1], model = ARGV[at + 2],
            max_attempts = tonumber(ARGV[at + 4]), max_voids = tonumber(ARGV[at + 5]),
            tries = 0, voids = 0, due = 0, handed = 0, order = account.opened, attempts = {},
        }
        payloads[id] = ARGV[at + 3]
        keep(id, tasks[id])
    end
end

-- A limit that was raised in a write that is lost, by what the coordinator was told and by what is spent.
for at, axis in ipairs({ 'usd', 'calls' }) do
    local known, own = tonumber(ARGV[7 + at]), account.limit[axis]
    if known and own and known > own then
        account.limit[axis] = known
    end
    local used = used_and_gone()
    if account.limit[axis] and used[at] > account.limit[axis] then
        account.limit[axis] = used[at]
        alert('more is spent than the limit that is known, so that a raise of it is lost: the limit is set to what is spent')
    end
end

-- Those that were asked for first are the likeliest to have begun.
for _, guess in ipairs(guesses) do
    local worst, used = guess.attempt.worst, used_and_gone()
    for at, full in ipairs(guess.attempt.full) do
        local limit = ({ account.limit.usd, account.limit.calls })[at]
        worst[at] = limit and math.max(math.min(full, limit - used[at]), 0) or full
    end
    add(books(guess.task.stage, guess.task.model).burned, worst)
end

account.last_seq = math.max(account.last_seq, tonumber(ARGV[12]))
account.incarnation = math.max(account.incarnation, tonumber(ARGV[2])) + 1
account.server, account.lost, account.suspect, account.suspect_since = server, nil, nil, nil
changed = true
if presumed > 0 then
    -- What it begins with is `PRESUMED` of `gristmill_ports::upkeep`.
    alert(string.format('the books were rebuilt after lost writes, and attempts are presumed to have cost their worst case: %d, together at most what was left of the budget', presumed))
else
    alert('the books were rebuilt after lost writes: no call was in flight, so that none is presumed')
end
leave(false)
for _, id in ipairs(gone) do
    local task = tasks[id]
    redis.call('HDEL', tasks_key, id)
    redis.call('HDEL', payloads_key, id)
    redis.call('HDEL', results_key, id)
    redis.call('ZREM', ready_key, member(id, task))
    redis.call('ZREM', leases_key, member(id, task))
    if task.seq then
        redis.call('XDEL', stream_key, string.format('%.0f-0', task.seq))
    end
end
return reply('ok', 'rebuilt', presumed)
