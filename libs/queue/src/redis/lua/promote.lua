--! Makes due tasks pending, and expires waiting tasks whose time to start has passed.
--! flags allow-oom
--! include clock context record lanes due finish
--! arg now
--! reply count, more (1 or 0), ms until the next due or expiring task or ''

local context = new_context(keys, read_clock(now))
local now_ms = context.now
local promoted = promote_due(context)

local overdue = redis.call('ZRANGE', keys.expiry, '-inf', now_ms, 'BYSCORE', 'LIMIT', 0, limits.choreTasksMax)
for _, key in ipairs(overdue) do
  local priority, _, _, payload_bytes, tenant, type = read_head(keys.task .. key)
  if priority then
    local state = redis.call('HMGET', keys.state .. key, 'state', 'attempt')
    finish(context, key, 'expired', payload_bytes, 0)
    record_move(context, priority, type, state[1] or 'pending', 'expired', key, state[2] or 0)
    if state[1] == 'scheduled' then
      redis.call('ZREM', keys.due, key)
    else
      settle_lane_head(context, priority, tenant, 100)
    end
  end
end
call_each('ZREM', keys.expiry, overdue)
write_context(context)

local next_ms = next_due(context)
local expiry = redis.call('ZRANGE', keys.expiry, 0, 0, 'WITHSCORES')
if expiry[2] then
  local wait = tonumber(expiry[2]) - now_ms
  next_ms = next_ms == '' and wait or math.min(next_ms, wait)
end
local more = promoted == limits.choreTasksMax or #overdue == limits.choreTasksMax
return { promoted + #overdue, more and 1 or 0, next_ms }
