-- ARGV: numbers. Returns how many of them there were.
local dropped = 0
for _, number in ipairs(ARGV) do
  if drop(number) then
    dropped = dropped + 1
  end
end
return dropped
