-- Tasks that differ in their keys alone are in a terminal state now. Their size counts towards the queue's bound on finished
-- bytes: payload, result, and 300 for the rest.
local function note_finished(context, task, task_keys, state, result_bytes)
  local finished = context.finished[state]
  if not finished then
    finished = {}
    context.finished[state] = finished
    context.bytes[state] = 0
  end
  local n, count = #finished, #task_keys
  for i = 1, count do
    finished[n + i] = task_keys[i]
  end
  context.bytes[state] = context.bytes[state] + count * (task.payload_bytes + limits.taskOverheadBytes) + result_bytes
end

-- Puts a task into a terminal state.
local function finish(context, task, state, result_bytes, ...)
  redis.call('HSET', context.keys.state .. task.key, 'state', state, 'finished', context.stamp, ...)
  note_finished(context, task, { task.key }, state, result_bytes)
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
