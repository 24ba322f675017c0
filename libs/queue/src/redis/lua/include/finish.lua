-- Puts a task into a terminal state. Its size counts towards the queue's bound on finished bytes: payload,
-- result, and 300 for the rest.
local function finish(context, key, state, payload_bytes, result_bytes, ...)
  redis.call('HSET', context.keys.state .. key, 'state', state, 'finished', context.stamp, ...)
  local members = context.finished[state]
  if not members then
    members = {}
    context.finished[state] = members
    context.bytes[state] = 0
  end
  members[#members + 1] = context.stamp
  members[#members + 1] = key
  context.bytes[state] = context.bytes[state] + payload_bytes + result_bytes + limits.taskOverheadBytes
end
