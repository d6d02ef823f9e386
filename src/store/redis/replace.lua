-- KEYS[1]; ARGV: prefix expected, now, new value, its time to live. All times in milliseconds.
-- Answers nil or 0 (gone), the value found (another version), 1 (done).
local head = redis.call('GETRANGE', KEYS[1], 0, 17)
if #head < 18 or string.sub(head, 1, 10) ~= ARGV[1] then
  return redis.call('GET', KEYS[1])
end
if struct.unpack('>I8', head, 11) <= tonumber(ARGV[2]) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
return 1
