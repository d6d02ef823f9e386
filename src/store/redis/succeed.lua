-- KEYS[1]; ARGV: mark and format, now, new value, its time to live.
-- Writes where an entry of ours is past its deadline and the server has not noticed yet.
-- Answers the value found (live, or not ours), 1 (done).
local value = redis.call('GET', KEYS[1])
if value then
  if #value < 18 or string.sub(value, 1, 2) ~= ARGV[1] then
    return value
  end
  if struct.unpack('>I8', value, 11) > tonumber(ARGV[2]) then
    return value
  end
end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
return 1
