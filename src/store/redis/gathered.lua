-- Carries out the writes of several sessions, each as if it had come alone: see create_over_expired,
-- replace and touch. An error of one write does not keep the others from being carried out.
-- KEYS; ARGV: now, one letter for each key ('c', 'r' or 't'), then for each key three arguments of its
-- script: bytes expected, new value or deadline, its time to live.
-- Returns the number of keys, and for each what its script returns or a list of the text of an error.
--
-- Numbers for commands are text, because the server takes longer to print a number than to run GETRANGE.
-- For the same reason `now` is there once, and what a command returns is looked at as little as possible.
local call, byte, sub, number_at = redis.pcall, string.byte, string.sub, struct.unpack
local keys, arguments = KEYS, ARGV
local now, kinds = tonumber(arguments[1]), arguments[2]

-- One error among the answers would look like an error of all of them to a client.
local function found(reply)
  return type(reply) == 'table' and { reply.err } or reply
end

local function written(reply)
  return reply.ok and 1 or { reply.err }
end

local function create(key, magic, value, time_to_live)
  local done = call('SET', key, value, 'NX', 'PX', time_to_live)
  if done then
    return written(done)
  end
  local present = call('GET', key)
  if present then
    if type(present) ~= 'string' or #present < 18 or sub(present, 1, 2) ~= magic then
      return found(present)
    end
    if number_at('>I8', present, 11) > now then
      return present
    end
  end
  return written(call('SET', key, value, 'PX', time_to_live))
end

local function replace(key, expected, value, time_to_live)
  local head = call('GETRANGE', key, '0', '17')
  -- An error is a table, whose length is 0.
  if #head < 18 then
    return type(head) == 'table' and { head.err } or found(call('GET', key))
  end
  if sub(head, 1, 10) ~= expected then
    return found(call('GET', key))
  end
  if number_at('>I8', head, 11) <= now then
    return 0
  end
  return written(call('SET', key, value, 'PX', time_to_live))
end

local function touch(key, expected, deadline, time_to_live)
  local head = call('GETRANGE', key, '0', '17')
  if #head < 18 then
    return type(head) == 'table' and { head.err } or found(call('GET', key))
  end
  if sub(head, 1, 10) ~= expected then
    return head
  end
  local present = number_at('>I8', head, 11)
  if present <= now then
    return 0
  end
  if number_at('>I8', deadline) <= present then
    return 2
  end
  local moved = call('PEXPIRE', key, time_to_live)
  if type(moved) == 'table' then
    return { moved.err }
  end
  local put = call('SETRANGE', key, '10', deadline)
  return type(put) == 'table' and { put.err } or 1
end

local writes = { [byte('c')] = create, [byte('r')] = replace, [byte('t')] = touch }
-- First a number: a client library takes a list that begins with `message` for a published one.
local answers = { #keys }
for at = 1, #keys do
  local first = 3 * at
  answers[at + 1] =
    writes[byte(kinds, at)](keys[at], arguments[first], arguments[first + 1], arguments[first + 2])
end
return answers
