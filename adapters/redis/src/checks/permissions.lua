-- Tells which of the commands in ARGV, each a line of words, the user may not run. Nothing is run. Before Redis 7 the server cannot tell.
if not redis.acl_check_cmd then
    return {'unknown'}
end
local denied = {}
for _, line in ipairs(ARGV) do
    local words = {}
    for word in string.gmatch(line, '%S+') do
        words[#words + 1] = word
    end
    local known, may = pcall(redis.acl_check_cmd, unpack(words))
    if not (known and may) then
        denied[#denied + 1] = line
    end
end
return denied
