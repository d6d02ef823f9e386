-- Moves the deadline of a live entry that has the expected version, without reading its bytes.
-- KEYS[1]; ARGV: magic bytes and expected version, now, new deadline as 8 bytes, its time to live.
-- Returns 1 (done), 2 (the deadline would not be later), nil or 0 (gone), or the head found
-- (another version, or not an entry of ours).
local head = redis.call('GETRANGE', KEYS[1], '0', '17')
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
redis.call('SETRANGE', KEYS[1], '10', ARGV[3])
return 1
