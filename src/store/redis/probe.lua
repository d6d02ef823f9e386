-- Counts the keys that are there.
-- KEYS.
local found = 0
for _, key in ipairs(KEYS) do
  if #redis.call('GETRANGE', key, 0, 0) > 0 then
    found = found + 1
  end
end
return found
