-- Writes over an entry of ours that is past its deadline and that the server has not removed yet.
-- KEYS[1]; ARGV: magic bytes, now, new value, its time to live. All times in milliseconds.
-- Returns 1 (done), or the value found (a live entry, or not an entry of ours).
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
