--! Ends waiting tasks; asks running ones to stop.
--! flags allow-oom
--! include clock context record lanes finish rows
--! arg now
--! each key
--! reply for each: code, state before, row

local context = new_context(keys, read_clock(now))
local reply = {}
for i = first_each, #ARGV do
  local key = ARGV[i]
  local priority, _, _, payload_bytes, tenant, type = read_head(keys.task .. key)
  local code, state = 'task-not-found', ''
  if priority then
    local fields = redis.call('HMGET', keys.state .. key, 'state', 'attempt')
    code, state = 'done', fields[1] or 'pending'
    if state == 'running' then
      redis.call('HSET', keys.state .. key, 'cancel', '1')
    elseif state == 'pending' or state == 'scheduled' or state == 'retrying' then
      finish(context, key, 'cancelled', payload_bytes, 0)
      record_move(context, priority, type, state, 'cancelled', key, fields[2] or 0)
      redis.call('ZREM', keys.expiry, key)
      if state == 'pending' then
        -- Its entry stays in the lane, to be passed over, unless it is at the head.
        settle_lane_head(context, priority, tenant, 100)
      else
        redis.call('ZREM', keys.due, key)
      end
    elseif state ~= 'cancelled' then
      code = 'wrong-state'
    end
  end
  local n = #reply
  reply[n + 1], reply[n + 2], reply[n + 3] = code, state, code == 'done' and read_row(keys, key, true) or ''
end
write_context(context)
return reply
