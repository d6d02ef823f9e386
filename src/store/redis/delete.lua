-- Deletes whatever is there, unless a newer release has written it.
-- KEYS[1]; ARGV: the first byte and the format of every value of ours.
-- Returns the number of keys deleted, or the head of a value of a newer format.
local head = redis.pcall('GETRANGE', KEYS[1], '0', '1')
if type(head) == 'table' then
  -- A key of another type is not ours and can go. Any other error is one.
  if not string.find(head.err or '', 'WRONGTYPE', 1, true) then
    return head
  end
elseif string.sub(head, 1, 1) == string.sub(ARGV[1], 1, 1) and string.sub(head, 2) > string.sub(ARGV[1], 2) then
  return head
end
return redis.call('DEL', KEYS[1])
