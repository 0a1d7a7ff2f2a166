-- Takes a word about an attempt: settle, void or burn.
--
-- ARGV[5..7] fence: task, number, nonce. ARGV[8] the word. ARGV[9..12] what it cost. ARGV[13] what a settle came to: done, retry or failed.
-- ARGV[14] result or reason. ARGV[15] wait until the next attempt, in milliseconds. Answers what became of it, and whether it decided the task.
local refusal = enter()
if refusal then
    return refusal
end
local id, number, nonce = ARGV[5], tonumber(ARGV[6]), ARGV[7]
local word = { kind = ARGV[8], outcome = ARGV[13], text = ARGV[14], wait = tonumber(ARGV[15]) }
if word.kind == 'settle' then
    word.actual = { tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12]) }
end
word.note = word.outcome == 'done' and '' or clip(word.text)

-- A burned attempt whose task is absorbed: money only.
local function resolve_remnant(kept, attempt)
    local money = book(id, attempt, kept.stage, kept.model, word)
    if money == 'corrected' then
        local sums = subtotal(kept.stage, kept.model, kept.ending)
        balance(take(sums.burned, attempt.worst))
        add(sums.spent, attempt.actual)
    end
    if money ~= 'already' then
        save_remnants(id)
    end
    return money
end

local task = load_task(id)
local attempt = task and find_or_presumed(task.attempts, number, nonce)
local answer, decided
if attempt then
    answer, decided = resolve(id, task, attempt, word)
else
    local kept = load_remnants(id)
    attempt = kept and find_or_presumed(kept.attempts, number, nonce)
    if attempt then
        answer = resolve_remnant(kept, attempt)
    else
        answer = task and 'unknown' or 'closed'
    end
end
leave(false)
return reply('ok', answer, decided or 0)
