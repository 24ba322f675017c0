-- A task that waits for a time. Where it is the next of all, an idle worker is woken to learn when.
local function add_due(context, key, due)
  redis.call('ZADD', context.keys.due, due, key)
  context.due_at = nil
  if redis.call('ZRANGE', context.keys.due, 0, 0)[1] == key then
    context.wake = true
  end
end

-- When the next task is due; infinity where there is none.
local function next_due_at(context)
  if not context.due_at then
    context.due_at = tonumber(redis.call('ZRANGE', context.keys.due, 0, 0, 'WITHSCORES')[2] or math.huge)
  end
  return context.due_at
end

-- Time until then, '' where there is none.
local function next_due(context)
  local at = next_due_at(context)
  return at < math.huge and at - context.now or ''
end

-- Makes a scheduled or retrying task pending. The caller takes it out of `due` and pushes the lanes.
local function promote_task(context, lanes, task, state, attempt, last_since)
  local since = next_since(context.now, last_since or task.created)
  redis.call('HSET', context.keys.state .. task.key, 'state', 'pending', 'since', since)
  line_up(context, lanes, task, since)
  record_move(context, task, state, 'pending', attempt or 0)
end

-- Makes a bounded number of due tasks pending, in order of due time; returns how many.
local function promote_due(context)
  if next_due_at(context) > context.now then
    return 0
  end
  local keys = context.keys
  local due = redis.call('ZRANGE', keys.due, '-inf', context.now, 'BYSCORE', 'LIMIT', 0, limits.choreTasksMax)
  local lanes = {}
  for _, key in ipairs(due) do
    local task = read_task(keys, key)
    if task then
      local state = redis.call('HMGET', keys.state .. key, 'state', 'attempt', 'since')
      promote_task(context, lanes, task, state[1], state[2], state[3])
    end
  end
  redis.call('ZREM', keys.due, unpack(due))
  context.due_at = nil
  push_lanes(context, lanes)
  return #due
end
