-- Writes over a live entry that has the expected version.
-- KEYS[1]; ARGV: magic bytes and expected version, now, new value, its time to live. All times in
-- milliseconds.
-- Returns 1 (done), nil or 0 (gone), or the value found (another version, or not an entry of ours).
local head = redis.call('GETRANGE', KEYS[1], '0', '17')
if #head < 18 or string.sub(head, 1, 10) ~= ARGV[1] then
  return redis.call('GET', KEYS[1])
end
if struct.unpack('>I8', head, 11) <= tonumber(ARGV[2]) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
return 1
