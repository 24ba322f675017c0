-- A task that waits for a time. Where it is the next of all, an idle worker is woken to learn when.
local function add_due(context, key, due)
  redis.call('ZADD', context.keys.due, due, key)
  if redis.call('ZRANGE', context.keys.due, 0, 0)[1] == key then
    context.wake = true
  end
end

-- Time until the next due task, '' where there is none.
local function next_due(context)
  local head = redis.call('ZRANGE', context.keys.due, 0, 0, 'WITHSCORES')
  return head[2] and tonumber(head[2]) - context.now or ''
end

-- Makes a bounded number of due tasks pending, in order of due time; returns how many.
local function promote_due(context)
  local keys, now = context.keys, context.now
  local due = redis.call('ZRANGE', keys.due, '-inf', now, 'BYSCORE', 'LIMIT', 0, limits.choreTasksMax)
  if #due == 0 then
    return 0
  end
  local lanes = {}
  for _, key in ipairs(due) do
    local priority, created, _, _, tenant, type = read_head(keys.task .. key)
    if priority then
      local state = redis.call('HMGET', keys.state .. key, 'state', 'attempt', 'since')
      local since = next_since(now, state[3] or created)
      redis.call('HSET', keys.state .. key, 'state', 'pending', 'since', since)
      add_to_lane(lanes, priority, tenant, since .. '~' .. key)
      record_move(context, priority, type, state[1], 'pending', key, state[2] or 0)
    end
  end
  redis.call('ZREM', keys.due, unpack(due))
  push_lanes(context, lanes)
  return #due
end
