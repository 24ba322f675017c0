-- Removes a finished task with all that is known of it; returns the bytes that went. The caller takes it out of the
-- index of its state and, with `removed`, out of the elders.
local function remove_task(context, key, state, removed)
  local keys = context.keys
  local task = read_task(keys, key)
  removed[#removed + 1] = key
  if not task then
    return 0
  end
  local bytes = task.payload_bytes + redis.call('STRLEN', keys.result .. key) + limits.taskOverheadBytes
  redis.call('UNLINK', keys.task .. key, keys.state .. key, keys.result .. key, keys.errors .. key, keys.logs .. key)
  record_move(context, task, state, '-', 0)
  return bytes
end

-- The oldest `most` tasks of a terminal state for which `wanted(end, tasks before, bytes before)` holds.
local function remove_oldest(context, state, most, wanted, removed)
  local keys = context.keys
  local finished_key = keys.finished .. state
  local slice = most > 0 and redis.call('ZRANGE', finished_key, 0, most - 1, 'WITHSCORES') or {}
  local gone, gone_bytes = {}, 0
  for i = 1, #slice, 2 do
    if not wanted(tonumber(slice[i + 1]), #gone, gone_bytes) then
      break
    end
    gone[#gone + 1] = slice[i]
    gone_bytes = gone_bytes + remove_task(context, slice[i], state, removed)
  end
  if #gone > 0 then
    redis.call('ZREM', finished_key, unpack(gone))
    redis.call('HINCRBY', keys.meta, 'bytes:' .. state, -gone_bytes)
  end
  return #gone
end
