-- The policy that was submitted with the task; '' where none was. The first kilobyte of the record holds it whole.
local function read_retry(keys, key)
  return string.match(redis.call('GETRANGE', keys.task .. key, 0, 1023), '^2' .. string.rep('\31[^\31]*', 8) .. '\31([^\31]*)')
end

-- Wait after the given number of failures, as in core/retry.ts; the conformance suite holds the two together.
-- A policy is `<max attempts>,<kind>,<delay>,<longest>,<jitter>,<delays by ;>`.
local function retry_delay(policy, failures, random)
  local _, kind, delay, longest, jitter, delays = string.match(policy, '^(%d+),(%a),(%d+),(%d+),(%a),(.*)$')
  local wait = tonumber(delay)
  if kind == 'e' then
    wait = wait * 2 ^ math.min(failures - 1, 52)
  elseif kind == 'l' then
    wait = wait * failures
  elseif kind == 's' then
    local index = 0
    for each in string.gmatch(delays, '%d+') do
      index = index + 1
      wait = tonumber(each)
      if index == failures then
        break
      end
    end
  end
  wait = math.min(tonumber(longest), wait)
  if jitter == 'f' then
    wait = wait * random
  elseif jitter == 'e' then
    wait = wait / 2 + wait / 2 * random
  end
  return math.floor(wait)
end
