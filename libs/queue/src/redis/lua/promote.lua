--! Makes due tasks pending, lets parked tenants go whose time has come, and expires waiting tasks whose time to start
--! has passed.
--! flags allow-oom
--! include clock context record state settings lanes ordering moves due finish allowance
--! arg now
--! reply count, more (1 or 0), ms until the next time at which something is to be done, or ''

local context = new_context(keys, read_clock(now))
local now_ms = context.now
local promoted = promote_due(context)
unpark_due(context)

local overdue = redis.call('ZRANGE', keys.expiry, '-inf', now_ms, 'BYSCORE', 'LIMIT', 0, limits.choreTasksMax)
for _, key in ipairs(overdue) do
  local task = read_task(keys, key)
  if task then
    local state = redis.call('HMGET', keys.state .. key, 'state', 'attempt')
    end_waiting(context, task, state[1] or 'pending', 'expired', state[2])
  else
    redis.call('ZREM', keys.expiry, key)
  end
end
settle_left_lanes(context)
hand_over_freed(context)

local next_ms = next_due(context)
local function wait_until(time)
  if time then
    next_ms = next_ms == '' and time - now_ms or math.min(next_ms, time - now_ms)
  end
end
local expiry = redis.call('ZRANGE', keys.expiry, 0, 0, 'WITHSCORES')
wait_until(tonumber(expiry[2]))
wait_until(next_unparked(context))
if any_ring(keys) then
  local allowed, until_ms = queue_allowance(context)
  if allowed > 0 then
    -- Whoever took the token may have died with it.
    context.wake = true
  else
    wait_until(until_ms)
  end
end
finish_call(context)
local more = promoted == limits.choreTasksMax or #overdue == limits.choreTasksMax
return { promoted + #overdue, more and 1 or 0, next_ms }
