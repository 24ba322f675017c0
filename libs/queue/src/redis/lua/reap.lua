--! Takes lost leases: counts a crash, and puts the task back to the head of its lane or, after too many, into
--! the dead-letter queue. After a gap it first gives every lease of before one more length.
--! flags allow-oom
--! include clock context run record state settings lanes ordering moves finish notes leases
--! arg now
--! arg between_ms       how long, by the caller's own measure, it has not reaped this queue, 0 where it does not know
--! reply count, more (1 or 0), ms until the next deadline or ''

local context = new_context(keys, read_clock(now))
local now_ms = context.now
local meta = redis.call('HMGET', keys.meta, 'reapedAt', 'gapAt', 'rewoundAt')
local reaped_at, gap_at, rewound_at = tonumber(meta[1] or now_ms), tonumber(meta[2] or 0), meta[3]
if now_ms < reaped_at then
  rewound_at = now_ms
end
if now_ms < reaped_at or now_ms - reaped_at > between_ms + limits.reapGapMs then
  gap_at = now_ms
  redis.call('HSET', keys.meta, 'gapAt', gap_at)
end
redis.call('HSET', keys.meta, 'reapedAt', now_ms)

-- The clock went back: deadlines of before lie too far ahead. Seen from the far end, a slice at a time.
if rewound_at then
  local clamped = 0
  local furthest = redis.call('ZRANGE', keys.leases, 0, limits.choreTasksMax - 1, 'REV', 'WITHSCORES')
  for i = 1, #furthest, 2 do
    local _, _, lease_ms = read_run(read_state(keys, furthest[i], 'run')[1] or '')
    lease_ms = tonumber(lease_ms or 0)
    if tonumber(furthest[i + 1]) > now_ms + lease_ms then
      redis.call('ZADD', keys.leases, now_ms + lease_ms, furthest[i])
      clamped = clamped + 1
    end
  end
  if clamped == limits.choreTasksMax then
    redis.call('HSET', keys.meta, 'rewoundAt', rewound_at)
  else
    redis.call('HDEL', keys.meta, 'rewoundAt')
  end
end

local lost = redis.call('ZRANGE', keys.leases, '-inf', now_ms, 'BYSCORE', 'LIMIT', 0, limits.choreTasksMax, 'WITHSCORES')
local back, count = {}, 0
for i = 1, #lost, 2 do
  local key, deadline = lost[i], tonumber(lost[i + 1])
  local state_key = keys.state .. key
  local state = read_state(keys, key, 'state', 'attempt', 'crashes', 'cancel', 'run', 'since', 'settled')
  local task = read_task(keys, key)
  local worker, _, lease_ms = read_run(state[5] or '')
  if not task or state[1] ~= 'running' then
    redis.call('ZREM', keys.leases, key)
  elseif deadline - lease_ms < gap_at then
    redis.call('ZADD', keys.leases, now_ms + lease_ms, key)
  else
    local crashes = (state[3] or 0) + 1
    count = count + 1
    end_leases(context, worker, { key }, 'crashed')
    add_error(keys, now_ms, key, state[2], worker, '')
    spread_state(keys, key)
    redis.call('HSET', state_key, 'crashes', crashes)
    -- Without its token nobody can settle this attempt any more; the one that settled before is again the last.
    if state[7] then
      redis.call('HSET', state_key, 'token', state[7])
    else
      redis.call('HDEL', state_key, 'token')
    end
    if state[4] then
      finish(context, task, 'cancelled', 0)
      record_move(context, task, 'running', 'cancelled', state[2])
    elseif crashes >= limits.crashesMax then
      finish(context, task, 'failed', 0, 'reason', 'crashed')
      record_move(context, task, 'running', 'failed', state[2])
    else
      local since = state[6] or task.created
      redis.call('HSET', state_key, 'state', 'pending', 'since', since)
      record_move(context, task, 'running', 'pending', state[2])
      back[#back + 1] = { task = task, since = tonumber(since), entry = entry_of(context, task, since) }
    end
  end
end
hand_over_freed(context)
-- The one that has waited longest is pushed last and so comes first.
table.sort(back, function(a, b)
  if a.since ~= b.since then
    return a.since > b.since
  end
  return a.entry > b.entry
end)
for _, each in ipairs(back) do
  local priority, tenant = lane_of(context, each.task)
  push_head(context, priority, tenant, each.entry)
end
if count > 0 then
  add_minute(context, 'crashed', count)
end
write_ended_leases(context)
finish_call(context)

local head = redis.call('ZRANGE', keys.leases, 0, 0, 'WITHSCORES')
return { count, #lost == limits.choreTasksMax * 2 and 1 or 0, head[2] and tonumber(head[2]) - now_ms or '' }
