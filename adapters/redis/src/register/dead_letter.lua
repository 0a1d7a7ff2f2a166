-- ARGV: number. Returns the dead letter in a list, or an empty one.
if redis.call('EXISTS', key('grave:' .. ARGV[1])) == 0 then
  return {}
end
return {shown_letter(ARGV[1])}
