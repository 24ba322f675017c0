-- What a worker asked for: its requests that are used up, each as `~<request> `, and the latest
-- `requestsKept` that took something, each as a line with that.
local function read_asked(keys, worker)
  local asked = redis.call('GET', keys.asked .. worker) or ''
  if string.byte(asked) ~= 126 then
    return '', asked
  end
  local used_up = string.match(asked, '^.*~%S+ ')
  return used_up, string.sub(asked, #used_up + 1)
end

-- What a request took; nil where it is not known to have taken anything.
local function taken_by(took, request)
  local _, last = string.find(took, '\n' .. request .. ' ', 1, true)
  return last and string.match(took, '[^\n]*', last + 1)
end

local function note_taken(took, request, taken)
  local kept = string.match(took, '^' .. string.rep('\n[^\n]*', limits.requestsKept - 1)) or took
  return '\n' .. request .. ' ' .. table.concat(taken, ' ') .. kept
end

local function is_used_up(used_up, request)
  return string.find(used_up, '~' .. request .. ' ', 1, true) ~= nil
end

-- The latest few are known.
local function use_up(used_up, request)
  return '~' .. request .. ' ' .. (string.match(used_up, '^~%S+ ~%S+ ~%S+ ') or used_up)
end

local function write_asked(keys, worker, used_up, took, lease_ms)
  redis.call('SET', keys.asked .. worker, used_up .. took, 'PX', math.max(lease_ms, limits.requestKeptMsMin))
end
