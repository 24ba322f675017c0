--! Makes failed, cancelled and expired tasks pending again, with all their attempts.
--! flags
--! include clock context record state settings lanes ordering moves finished rows outcome
--! arg now
--! each key
--! reply for each: code, state before, row

local context = new_context(keys, read_clock(now))
local reply, lanes = {}, {}
for i = first_each, #ARGV do
  local key = ARGV[i]
  local state_key = keys.state .. key
  local task = read_task(keys, key)
  local code, state = 'task-not-found', ''
  if task then
    local fields = read_state(keys, key, 'state', 'attempt', 'since', 'finished')
    code, state = 'wrong-state', fields[1] or 'pending'
    if state == 'failed' or state == 'cancelled' or state == 'expired' then
      code = 'done'
      drop_finished(keys, state, key, fields[4])
      redis.call('HINCRBY', keys.meta, 'bytes:' .. state, -(task.payload_bytes + limits.taskOverheadBytes))
      redis.call('HDEL', state_key, 'finished', 'reason', 'failures', 'crashes', 'cancel', 'due')
      local since = next_since(context.now, fields[3] or task.created)
      redis.call('HSET', state_key, 'state', 'pending', 'since', since, 'retried', '1')
      add_to_lane(context, lanes, task, since)
      record_move(context, task, state, 'pending', fields[2] or 0)
    end
  end
  answer(keys, reply, key, code, state)
end
push_lanes(context, lanes)
finish_call(context)
return reply
