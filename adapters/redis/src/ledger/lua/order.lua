-- Orders to the account: a column of the table of accounts in `gristmill_domain::ledger`. ARGV[5] the order, ARGV[6] its reason.
local refusal = enter()
if refusal then
    return refusal
end

local function become(state, reason)
    account.state, account.reason, account.paused = state, reason, nil
    changed = true
end

local orders = {
    pause = function(reason)
        if account.state == 'active' then
            become('paused', reason)
        elseif account.state == 'frozen' then
            account.paused, changed = reason, true
        end
    end,
    resume = function()
        if account.state == 'paused' then
            become('active')
        elseif account.state == 'frozen' then
            account.paused, changed = nil, true
        end
    end,
    freeze = freeze,
    unfreeze = function()
        if account.state == 'frozen' then
            become(account.paused and 'paused' or 'active', account.paused)
        end
    end,
    cancel = function()
        if account.state == 'active' or account.state == 'paused' or account.state == 'frozen' then
            become('cancelled')
        end
    end,
}

orders[ARGV[5]](ARGV[6])
leave(false)
return reply('ok')
