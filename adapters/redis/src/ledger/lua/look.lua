-- Shows the ledger what the caller was told of, and nothing else: lost writes are noticed in `enter`.
local refusal = enter()
if refusal then
    return refusal
end
return reply('ok')
