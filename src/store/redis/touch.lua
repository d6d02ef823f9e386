-- KEYS[1]; ARGV: prefix expected, now, new deadline as it is stored, its time to live.
-- Answers nil or 0 (gone), the head found (another version), 1 (done), 2 (it would not be later).
local head = redis.call('GETRANGE', KEYS[1], 0, 17)
if #head < 18 then
  return redis.call('GET', KEYS[1])
end
if string.sub(head, 1, 10) ~= ARGV[1] then
  return head
end
local deadline = struct.unpack('>I8', head, 11)
if deadline <= tonumber(ARGV[2]) then
  return 0
end
if struct.unpack('>I8', ARGV[3]) <= deadline then
  return 2
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('SETRANGE', KEYS[1], 10, ARGV[3])
return 1
