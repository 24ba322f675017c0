-- What a worker asked for: its requests that are used up, each as `~<request> `, and its latest that took something, with that.
local function read_asked(keys, worker)
  local asked = redis.call('GET', keys.asked .. worker) or ''
  if string.byte(asked) ~= 126 then
    return '', asked
  end
  local used_up = string.match(asked, '^.*~%S+ ')
  return used_up, string.sub(asked, #used_up + 1)
end

local function is_used_up(used_up, request)
  return string.find(used_up, '~' .. request .. ' ', 1, true) ~= nil
end

-- The latest few are known.
local function use_up(used_up, request)
  return '~' .. request .. ' ' .. (string.match(used_up, '^~%S+ ~%S+ ~%S+ ') or used_up)
end

local function write_asked(keys, worker, used_up, latest, lease_ms)
  redis.call('SET', keys.asked .. worker, used_up .. latest, 'PX', math.max(lease_ms, limits.requestKeptMsMin))
end
