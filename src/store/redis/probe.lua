-- Counts the keys that are there, and deletes them.
-- KEYS.
local found = 0
for _, key in ipairs(KEYS) do
  found = found + redis.call('DEL', key)
end
return found
