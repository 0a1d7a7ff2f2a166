-- What every script of the ledger starts with: a run's keys, its account, its tasks, and one place where all of it is written.
--
-- A script reads, decides in Lua tables, and writes at its very end, in `leave`: whatever is refused has written nothing. Redis runs a script
-- alone and keeps what it wrote even when it fails, so nothing may fail between the first write and the last; the only thing
-- that can (no memory, no disk, no replica) stops the first.
--
-- KEYS[1] account   string: the account
-- KEYS[2] tasks     hash: id -> task, without payload and result
-- KEYS[3] payloads  hash: id -> bytes
-- KEYS[4] results   hash: id -> result, or the reason of a failure
-- KEYS[5] ready     sorted set: order and id of what may be handed out, by the time from which
-- KEYS[6] leases    sorted set: order and id of what runs, by the end of its lease
-- KEYS[7] stream    stream: id of each decided task, at its position
-- KEYS[8] remnants  hash: id -> burned attempts of absorbed tasks
--
-- ARGV[1] id of the server process that this runs in (see `sound`)
-- ARGV[2] newest incarnation of the account, and
-- ARGV[3] newest write in it, that the caller was told of
-- ARGV[4] time in milliseconds; empty for the server's own
-- ARGV[5..] the operation's
--
-- Records are MessagePack: Lua's cjson keeps 14 digits only. Numbers are doubles: callers keep each below 2^53, sums stop there.
local account_key, tasks_key, payloads_key, results_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local ready_key, leases_key, stream_key, remnants_key = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local server = ARGV[1]

-- The largest number that a double counts to without a gap.
local NUMBER_MAX = 9007199254740991
local LAYOUT = 1

-- The account, once `enter` has found it; ledger time; whether anything is to be written.
local account, now, changed

local tasks, before = {}, {} -- by id, as loaded and as they were stored
local remnants = {} -- by id
local touched, touched_remnants = {}, {} -- ids, in the order in which they are written
local payloads = {} -- of tasks that were just opened, by id
local decisions = {} -- {id, text}, in the order in which they fell

local function server_time()
    if ARGV[4] ~= '' then
        return tonumber(ARGV[4])
    end
    local time = redis.call('TIME')
    return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function later(time, wait)
    return math.min(time + wait, NUMBER_MAX)
end

-- Whether the account is what it was when its last write was acknowledged. It names the server process that it was last
-- known to be whole in; in another one (a restart, a failover) nothing begins until the coordinator has looked into it.
local function sound()
    return account.server == server and not account.lost
end

-- The state that operations go by.
local function state()
    if not sound() and (account.state == 'active' or account.state == 'paused') then
        return 'frozen'
    end
    return account.state
end

local function alert(text)
    for _, known in ipairs(account.alerts) do
        if known.text == text then
            return
        end
    end
    account.alerts_total = account.alerts_total + 1
    if #account.alerts < 32 then
        account.alerts[#account.alerts + 1] = { at = now, text = text }
    end
    changed = true
end

-- Whether the caller was told of a write that is not here: then it is lost.
local function outdated()
    local incarnation, write = tonumber(ARGV[2]), tonumber(ARGV[3])
    return incarnation > account.incarnation
        or (incarnation == account.incarnation and write > account.writes)
end

-- Every reply: a word, the incarnation and the newest write, then what the operation answers.
local function reply(word, ...)
    if account then
        return { word, account.incarnation, account.writes, ... }
    end
    return { word, 0, 0, ... }
end

-- An account as it starts: active, with empty books and no coordinator.
local function new_account(prices, usd, calls, lease, republish)
    return {
        layout = LAYOUT, server = server, incarnation = 1, writes = 0,
        prices = prices, limit = { usd = usd, calls = calls }, stage_limits = {},
        state = 'active', epoch = 0, holder = '', lease = lease, republish = republish,
        books = {}, counts = {}, archived = {},
        clock = 0, last_seq = 0, opened = 0,
        alerts = {}, alerts_total = 0, raises = {}, audited = 0,
    }
end

local leave

-- Loads the account and moves its clock, which never goes back. Returns what to answer instead when there is none.
local function enter()
    local packed = redis.call('GET', account_key)
    if not packed then
        return reply('unknown')
    end
    account = cmsgpack.unpack(packed)
    if account.layout ~= LAYOUT then
        return redis.error_reply('LAYOUT the run\'s account was written by another version of Gristmill, in layout ' .. tostring(account.layout))
    end
    now = math.max(account.clock, server_time())
    if outdated() and not account.lost then
        account.lost = true
        alert('Redis has lost writes that it had acknowledged: nothing begins until the books are rebuilt')
        leave(false)
    end
end

-- The same for what only the run's coordinator may ask; its epoch is ARGV[5] and ARGV[6].
local function enter_led()
    local refusal = enter()
    if refusal then
        return refusal
    end
    if account.epoch ~= tonumber(ARGV[5]) or account.holder ~= ARGV[6] then
        return reply('stale', account.epoch, account.holder)
    end
end

local function running(task)
    for _, attempt in ipairs(task.attempts) do
        if attempt.state == 'started' then
            return attempt
        end
    end
end

-- Time from which a task may be handed out; nil while it runs and once it is decided.
local function ready_at(task)
    if not task.ending and not running(task) then
        return math.max(task.due, task.handed)
    end
end

local function lease_until(task)
    local attempt = running(task)
    return attempt and attempt.lease
end

local function load_task(id)
    if tasks[id] == nil then
        local packed = redis.call('HGET', tasks_key, id)
        tasks[id] = packed and cmsgpack.unpack(packed) or false
        if packed then
            before[id] = { ready = ready_at(tasks[id]), lease = lease_until(tasks[id]) }
        end
    end
    return tasks[id] or nil
end

local function note_down(list, id)
    if not list[id] then
        list[id] = true
        list[#list + 1] = id
    end
    changed = true
end

-- Has a task written at the end.
local function save_task(id)
    note_down(touched, id)
end

-- Has what is left of an absorbed task written at the end.
local function save_remnants(id)
    note_down(touched_remnants, id)
end

local function load_remnants(id)
    if remnants[id] == nil then
        local packed = redis.call('HGET', remnants_key, id)
        remnants[id] = packed and cmsgpack.unpack(packed) or false
    end
    return remnants[id] or nil
end

-- Members of the two sorted sets: equal times go by the order in which tasks were opened.
local function member(id, task)
    return struct.pack('>I8', task.order) .. id
end

local function move(key, name, id, task, was, is)
    if is and is ~= was then
        redis.call('ZADD', key, is, name)
    elseif was and not is then
        redis.call('ZREM', key, name)
    end
end

local function remnants_of(id, task)
    local kept = load_remnants(id) or { attempts = {} }
    kept.stage, kept.model, kept.ending = task.stage, task.model, task.ending
    local burned = false
    for _, attempt in ipairs(task.attempts) do
        if attempt.state == 'burned' then
            burned = true
            local at = #kept.attempts + 1
            for i, known in ipairs(kept.attempts) do
                if known.number == attempt.number and known.nonce == attempt.nonce then
                    at = i
                end
            end
            kept.attempts[at] = attempt
        end
    end
    return burned and kept
end

local function write_task(id)
    local task, was = tasks[id], before[id] or {}
    local name = member(id, task)
    if task.archived then
        local kept = remnants_of(id, task)
        if kept then
            redis.call('HSET', remnants_key, id, cmsgpack.pack(kept))
        end
        redis.call('HDEL', tasks_key, id)
        redis.call('HDEL', payloads_key, id)
        redis.call('HDEL', results_key, id)
        redis.call('XDEL', stream_key, string.format('%.0f-0', task.seq))
        move(ready_key, name, id, task, was.ready, nil)
        move(leases_key, name, id, task, was.lease, nil)
        return
    end
    redis.call('HSET', tasks_key, id, cmsgpack.pack(task))
    if payloads[id] then
        redis.call('HSET', payloads_key, id, payloads[id])
    end
    move(ready_key, name, id, task, was.ready, ready_at(task))
    move(leases_key, name, id, task, was.lease, lease_until(task))
end

-- What `leave` and `write_task` write with, as commands that are complete.
local WRITES = {
    { 'SET', account_key, '' }, { 'HSET', tasks_key, '', '' }, { 'HDEL', tasks_key, '' }, { 'HSET', remnants_key, '', '' },
    { 'XADD', stream_key, '0-1', 't', '' }, { 'XDEL', stream_key, '0-1' }, { 'ZADD', ready_key, '0', '' }, { 'ZREM', leases_key, '' },
}

-- Redis looks at the caller's rights again at every command: one that is missing would stop a script between two writes. (Before 7.0 there are no
-- rights to ask for.)
local function check_rights()
    for _, command in ipairs(redis.acl_check_cmd and WRITES or {}) do
        if not redis.acl_check_cmd(unpack(command)) then
            error({ err = 'NOPERM this user may not run `' .. command[1] .. '`, and nothing was written: give it the rights of its role in deploy/redis/users.acl' })
        end
    end
end

-- Writes everything that has changed. `needs_room`: refused by Redis when its memory is full, before anything is written.
-- Otherwise a deletion goes first: it is a write that needs no room, and Redis does not stop a script that has written.
function leave(needs_room)
    if not changed then
        return
    end
    check_rights()
    account.clock = now
    account.writes = account.writes + 1
    if not needs_room then
        redis.call('HDEL', tasks_key, '')
    end
    redis.call('SET', account_key, cmsgpack.pack(account))
    for _, decision in ipairs(decisions) do
        local task = tasks[decision.id]
        if not task.archived then
            redis.call('HSET', results_key, decision.id, decision.text)
            redis.call('XADD', stream_key, string.format('%.0f-0', task.seq), 't', decision.id)
            -- What is decided is not handed out again.
            redis.call('HDEL', payloads_key, decision.id)
        end
    end
    for _, id in ipairs(touched) do
        write_task(id)
    end
    for _, id in ipairs(touched_remnants) do
        redis.call('HSET', remnants_key, id, cmsgpack.pack(remnants[id]))
    end
    changed = false
end
