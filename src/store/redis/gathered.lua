-- Carries out the writes of several sessions, each as if it had come alone: see create_over_expired,
-- replace and touch. An error of one write does not keep the others from being carried out.
-- KEYS; ARGV, five for each key: 'c', 'r' or 't', then the arguments of that script.
-- Returns the number of keys, and for each what its script returns or a list of the text of an error.
local call, number_at = redis.pcall, struct.unpack

local function error_of(reply)
  return type(reply) == 'table' and reply.err
end

local function put(key, value, time_to_live)
  local done = call('SET', key, value, 'PX', time_to_live)
  return error_of(done) and done or 1
end

local function create(key, magic, now, value, time_to_live)
  local done = call('SET', key, value, 'NX', 'PX', time_to_live)
  if done then
    return error_of(done) and done or 1
  end
  local found = call('GET', key)
  if type(found) == 'string' then
    if #found < 18 or string.sub(found, 1, 2) ~= magic or number_at('>I8', found, 11) > tonumber(now) then
      return found
    end
  elseif found then
    return found
  end
  return put(key, value, time_to_live)
end

local function replace(key, expected, now, value, time_to_live)
  local head = call('GETRANGE', key, 0, 17)
  if error_of(head) then
    return head
  end
  if #head < 18 or string.sub(head, 1, 10) ~= expected then
    return call('GET', key)
  end
  if number_at('>I8', head, 11) <= tonumber(now) then
    return 0
  end
  return put(key, value, time_to_live)
end

local function touch(key, expected, now, deadline, time_to_live)
  local head = call('GETRANGE', key, 0, 17)
  if error_of(head) then
    return head
  end
  if #head < 18 then
    return call('GET', key)
  end
  if string.sub(head, 1, 10) ~= expected then
    return head
  end
  local present = number_at('>I8', head, 11)
  if present <= tonumber(now) then
    return 0
  end
  if number_at('>I8', deadline) <= present then
    return 2
  end
  local moved = call('PEXPIRE', key, time_to_live)
  if error_of(moved) then
    return moved
  end
  local written = call('SETRANGE', key, 10, deadline)
  return error_of(written) and written or 1
end

local writes = { c = create, r = replace, t = touch }
-- First a number: a client library takes a list that begins with `message` for a published one.
local answers = { #KEYS }
for at, key in ipairs(KEYS) do
  local first = 5 * at - 4
  local answer = writes[ARGV[first]](key, ARGV[first + 1], ARGV[first + 2], ARGV[first + 3], ARGV[first + 4])
  -- One error among the answers would look like an error of all of them to a client.
  answers[at + 1] = error_of(answer) and { answer.err } or answer
end
return answers
