--! Makes failed, cancelled and expired tasks pending again, with all their attempts.
--! flags
--! include clock context record lanes rows
--! arg now
--! each key
--! reply for each: code, state before, row

local context = new_context(keys, read_clock(now))
local reply = {}
for i = first_each, #ARGV do
  local key = ARGV[i]
  local state_key = keys.state .. key
  local priority, created, _, payload_bytes, tenant, type = read_head(keys.task .. key)
  local code, state = 'task-not-found', ''
  if priority then
    local fields = redis.call('HMGET', state_key, 'state', 'attempt', 'since')
    code, state = 'wrong-state', fields[1] or 'pending'
    if state == 'failed' or state == 'cancelled' or state == 'expired' then
      code = 'done'
      redis.call('ZREM', keys.finished .. state, key)
      redis.call('HINCRBY', keys.meta, 'bytes:' .. state, -(payload_bytes + limits.taskOverheadBytes))
      redis.call('HDEL', state_key, 'finished', 'reason', 'failures', 'crashes', 'cancel', 'due')
      local since = next_since(context.now, fields[3] or created)
      redis.call('HSET', state_key, 'state', 'pending', 'since', since, 'retried', '1')
      push_tail(context, priority, tenant, { since .. '~' .. key })
      record_move(context, priority, type, state, 'pending', key, fields[2] or 0)
    end
  end
  local n = #reply
  reply[n + 1], reply[n + 2], reply[n + 3] = code, state, code == 'done' and read_row(keys, key, true) or ''
end
write_context(context)
return reply
