-- Puts a task into a terminal state. Its size counts towards the queue's bound on finished bytes: payload,
-- result, and 300 for the rest.
local function finish(context, task, state, result_bytes, ...)
  redis.call('HSET', context.keys.state .. task.key, 'state', state, 'finished', context.stamp, ...)
  local members = context.finished[state]
  if not members then
    members = {}
    context.finished[state] = members
    context.bytes[state] = 0
  end
  local n = #members
  members[n + 1], members[n + 2] = context.stamp, task.key
  context.bytes[state] = context.bytes[state] + task.payload_bytes + result_bytes + limits.taskOverheadBytes
end

-- Ends a task that waits in this state.
local function end_waiting(context, task, from, to, attempt)
  local keys = context.keys
  finish(context, task, to, 0)
  record_move(context, task, from, to, attempt or 0)
  if task.expires ~= '' then
    redis.call('ZREM', keys.expiry, task.key)
  end
  if from == 'pending' then
    local priority, tenant = lane_of(context, task)
    leave_lane(context, priority, tenant)
    -- In this one it waits if priorities were switched on or off since it came.
    leave_lane(context, priority == task.priority and 3 or task.priority, tenant)
  else
    redis.call('ZREM', keys.due, task.key)
    context.due_at = nil
  end
end
