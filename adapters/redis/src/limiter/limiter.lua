-- A line's limits: the rules of `gristmill_domain::rate`, carried out where all processes meet.
--
-- KEYS[1]  string: the line's state
--
-- ARGV[1]  acquire, refund or cool_down
-- ARGV[2]  time in microseconds; empty for the server's own
-- ARGV[3..] the operation's
--
-- Everything is decided before the one write at the end. Microseconds of a clock stay below 2^53 until the year 2255, so that Lua's doubles
-- hold them; records are MessagePack, since cjson keeps 14 digits only. The key lives as long as something in it still counts.
local HELD_S, SECOND = 62, 1000000
local CLAIM_GRACE, SOON = 5 * SECOND, SECOND
local SPREAD_PACED, SPREAD_TOKENS, STEP_TOKENS = 15 * SECOND, 2 * SECOND, 10000
-- No number is let grow beyond this, so that sums stay exact.
local MOST = 2 ^ 51

local now = tonumber(ARGV[2])
if not now then
    local time = redis.call('TIME')
    now = tonumber(time[1]) * SECOND + tonumber(time[2])
end
local second = math.floor(now / SECOND)

-- State: {at, era, due, told, cool_until, input, output}; a window: {charges, claimed, claimed until}; charges: second, tokens and those
-- of them that are open, and so on, oldest first.
local state
local stored = redis.call('GET', KEYS[1])
if stored then
    state = cmsgpack.unpack(stored)
else
    state = {0, 0, 0, 0, 0, {{}, 0, 0}, {{}, 0, 0}}
end
local AT, ERA, DUE, TOLD, COOL, INPUT, OUTPUT = 1, 2, 3, 4, 5, 6, 7

-- Follows a clock that stepped back: what was so far ahead stays so far ahead, as if no time had passed.
local function follow()
    local by = state[AT] - now
    if by > 0 then
        for _, field in ipairs({DUE, TOLD, COOL}) do
            state[field] = math.max(0, state[field] - by)
        end
        for _, field in ipairs({INPUT, OUTPUT}) do
            local window = state[field]
            for i = 1, #window[1], 3 do
                window[1][i] = math.max(0, window[1][i] - math.floor(by / SECOND))
            end
            window[3] = math.max(0, window[3] - by)
        end
        state[ERA] = state[ERA] + 1
    end
    state[AT] = now
end

-- Forgets the seconds that have passed.
local function prune(window)
    local kept = {}
    for i = 1, #window[1], 3 do
        if window[1][i] + HELD_S > second then
            kept[#kept + 1] = window[1][i]
            kept[#kept + 1] = window[1][i + 1]
            kept[#kept + 1] = window[1][i + 2]
        end
    end
    window[1] = kept
end

-- How long a demand must wait for room in a window; 0 when there is room now.
local function room(window, limit, tokens)
    local need = tokens
    if window[3] > now and window[2] > tokens then
        need = need + window[2]
    end
    need = math.min(need, limit)
    local charges, held, open = window[1], 0, 0
    for i = 1, #charges, 3 do
        held, open = held + charges[i + 1], open + charges[i + 2]
    end
    if held + need <= limit then
        return 0
    end
    if math.max(0, held - open) + need <= limit then
        return SOON
    end
    for i = 1, #charges, 3 do
        held = held - charges[i + 1]
        if held + need <= limit then
            return (charges[i] + HELD_S) * SECOND - now
        end
    end
    return SOON
end

local function charge(window, tokens)
    if window[3] <= now or window[2] <= tokens then
        window[2], window[3] = 0, 0
    end
    local charges = window[1]
    local at = #charges + 1
    for i = 1, #charges, 3 do
        if charges[i] == second then
            charges[i + 1] = math.min(MOST, charges[i + 1] + tokens)
            charges[i + 2] = math.min(MOST, charges[i + 2] + tokens)
            return
        end
        if charges[i] > second then
            at = i
            break
        end
    end
    table.insert(charges, at, tokens)
    table.insert(charges, at, tokens)
    table.insert(charges, at, second)
end

-- Keeps room for a large demand that was refused, so that small ones cannot starve it.
local function claim(window, limit, tokens, base)
    tokens = math.min(tokens, limit)
    local larger = window[3] > now and window[2] > tokens
    if tokens * HELD_S > limit and not larger then
        window[2], window[3] = tokens, base + CLAIM_GRACE
    end
end

local function correct(window, at, charged, used)
    local charges, when = window[1], math.floor(at / SECOND)
    for i = 1, #charges, 3 do
        if charges[i] == when then
            charges[i + 1] = math.min(MOST, math.max(0, charges[i + 1] - charged) + used)
            charges[i + 2] = math.max(0, charges[i + 2] - charged)
        end
    end
end

local function leave()
    local counts = math.max(state[DUE], state[COOL], state[TOLD]) - now
    for _, field in ipairs({INPUT, OUTPUT}) do
        local charges = state[field][1]
        if #charges > 0 then
            counts = math.max(counts, (charges[#charges - 2] + HELD_S) * SECOND - now)
        end
        counts = math.max(counts, state[field][3] - now)
    end
    redis.call('SET', KEYS[1], cmsgpack.pack(state), 'PX', string.format('%.0f', math.ceil(math.max(counts, 0) / 1000) + 1000))
end

-- Interval and tolerance of the pace, limits of input and output, all empty when there is none; then the demand.
local function acquire()
    local interval, tolerance = tonumber(ARGV[3]), tonumber(ARGV[4])
    local limits = {[INPUT] = tonumber(ARGV[5]), [OUTPUT] = tonumber(ARGV[6])}
    local demand = {[INPUT] = tonumber(ARGV[7]), [OUTPUT] = tonumber(ARGV[8])}
    follow()
    local due, paced = state[DUE], 0
    if interval then
        local next = math.max(due, now) + interval
        paced = math.max(0, next - (now + tolerance))
        due = next
    end
    local waits, tokens = {}, 0
    for _, field in ipairs({INPUT, OUTPUT}) do
        prune(state[field])
        waits[field] = limits[field] and room(state[field], limits[field], demand[field]) or 0
        tokens = math.max(tokens, waits[field])
    end
    local wait = math.max(paced, tokens, state[COOL] - now, 0)
    if wait == 0 then
        state[DUE] = due
        for _, field in ipairs({INPUT, OUTPUT}) do
            if limits[field] then
                charge(state[field], demand[field])
            end
        end
        leave()
        return {1, string.format('%.0f', now), string.format('%.0f', state[ERA])}
    end
    local base = now + wait
    for _, field in ipairs({INPUT, OUTPUT}) do
        if waits[field] > 0 then
            claim(state[field], limits[field], demand[field], base)
        end
    end
    local step, most = STEP_TOKENS, SPREAD_TOKENS
    if interval and tokens == 0 then
        step, most = math.ceil(interval / 2), SPREAD_PACED
    end
    local told = math.min(math.max(state[TOLD], base), base + most)
    state[TOLD] = told + step
    leave()
    return {0, string.format('%.0f', told - now)}
end

-- Time and era of the permit, what it charged (input, output), what was used (input, output).
local function refund()
    if tonumber(ARGV[4]) == state[ERA] then
        correct(state[INPUT], tonumber(ARGV[3]), tonumber(ARGV[5]), tonumber(ARGV[7]))
        correct(state[OUTPUT], tonumber(ARGV[3]), tonumber(ARGV[6]), tonumber(ARGV[8]))
        leave()
    end
    return {1}
end

-- The pause in microseconds.
local function cool_down()
    follow()
    state[COOL] = math.max(state[COOL], now + tonumber(ARGV[3]))
    leave()
    return {1}
end

if ARGV[1] == 'acquire' then
    return acquire()
elseif ARGV[1] == 'refund' then
    return refund()
else
    return cool_down()
end
