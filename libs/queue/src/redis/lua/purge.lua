--! Ends waiting tasks, or removes finished ones, a bounded number of them.
--! flags allow-oom
--! include clock context record state settings lanes ordering moves finish finished removal
--! arg now
--! arg state            waiting, pending, or a terminal state
--! arg tenant           '' for all
--! reply count (-1 where the queue does not tell tenants apart), more (1 or 0)

local context = new_context(keys, read_clock(now))
local left, count = limits.purgeTasksMax, 0

-- Ends the task of a lane's entry where it still stands for one.
local function end_entry(entry)
  left = left - 1
  if entry_is_current(keys, entry) then
    local task = read_task(keys, key_of(entry))
    local attempt = redis.call('HGET', keys.state .. task.key, 'attempt')
    finish(context, task, 'cancelled', 0)
    record_move(context, task, 'pending', 'cancelled', attempt or 0)
    if task.expires ~= '' then
      redis.call('ZREM', keys.expiry, task.key)
    end
    count = count + 1
  end
end

local function purge_lane(priority, lane_tenant)
  if left > 0 then
    for _, entry in ipairs(redis.call('LRANGE', keys.lane .. priority .. ':' .. lane_tenant, 0, left - 1)) do
      end_entry(entry)
    end
    settle_lane_head(context, priority, lane_tenant, limits.purgeTasksMax)
    -- Whatever it found: the loops below end.
    left = left - 1
  end
end

-- The list of an ordering key. It empties when its holder ends too, or here.
local function purge_aside(scope)
  for _, waiting in ipairs(left > 0 and redis.call('LPOP', keys.aside .. scope, left) or {}) do
    end_entry(string.sub(waiting, 3))
  end
  note_aside(context, scope)
  left = left - 1
end

local function purge_all_lanes()
  for priority = 6, 1, -1 do
    while left > 0 do
      local first = redis.call('ZRANGE', keys.ring .. priority, 0, 0)[1]
      if not first then
        break
      end
      purge_lane(priority, first)
    end
  end
  while left > 0 do
    local held = redis.call('ZRANGE', keys.held, 0, 0)[1]
    if not held then
      break
    end
    if string.sub(held, 1, 1) == '~' then
      purge_aside(string.sub(held, 2))
    else
      purge_lane(string.sub(held, 1, 1), string.sub(held, 3))
    end
  end
end

if tenant ~= '' then
  if context.settings.mode == 'fifo' then
    -- All wait in one lane.
    return { -1, 0 }
  end
  for priority = 6, 1, -1 do
    purge_lane(priority, tenant)
  end
  for _, ordering in ipairs(left > 0 and redis.call('SRANDMEMBER', keys.asides .. tenant, left) or {}) do
    purge_aside(tenant .. '~' .. ordering)
  end
elseif state == 'waiting' or state == 'pending' then
  purge_all_lanes()
  local due = state == 'waiting' and left > 0 and redis.call('ZRANGE', keys.due, 0, left - 1) or {}
  for _, key in ipairs(due) do
    local task = read_task(keys, key)
    local fields = redis.call('HMGET', keys.state .. key, 'state', 'attempt')
    end_waiting(context, task, fields[1], 'cancelled', fields[2])
    left, count = left - 1, count + 1
  end
else
  local removed = {}
  count = remove_oldest(context, state, left, left, 0, 0, removed)
  left = left - count
  call_each('ZREM', keys.elders, removed)
end
finish_call(context)
return { count, left <= 0 and 1 or 0 }
