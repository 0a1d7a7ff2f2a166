-- Makes ARGV[5] the run's coordinator; the present one keeps its epoch. Answers number and holder.
local refusal = enter()
if refusal then
    return refusal
end
if account.epoch == 0 or account.holder ~= ARGV[5] then
    account.epoch, account.holder = account.epoch + 1, ARGV[5]
    changed = true
end
leave(false)
return reply('ok', account.epoch, account.holder)
