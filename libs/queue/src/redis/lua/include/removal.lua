-- Counts a finished task as removed; returns the bytes that go with it.
local function count_removed(context, key, state, brief, has_result)
  local keys = context.keys
  local task = ending_task(keys, key, brief or '')
  if not task then
    return 0
  end
  record_move(context, task, state, '-', 0)
  return task.payload_bytes + (has_result and redis.call('STRLEN', keys.result .. key) or 0) + limits.taskOverheadBytes
end

-- With all that is known of them, in one command: 1 us less of each.
local function unlink_tasks(keys, names)
  local doomed = {}
  for i, key in ipairs(names) do
    local n = i * 5
    doomed[n - 4], doomed[n - 3], doomed[n - 2] = keys.task .. key, keys.state .. key, keys.result .. key
    doomed[n - 1], doomed[n] = keys.errors .. key, keys.logs .. key
  end
  redis.call('UNLINK', unpack(doomed))
end

-- Removes a finished task; returns the bytes that went. The caller takes it out of the index of its state and, with
-- `removed`, out of the elders.
local function remove_task(context, key, state, removed)
  removed[#removed + 1] = key
  local bytes = count_removed(context, key, state, read_state(context.keys, key, 'brief')[1], true)
  unlink_tasks(context.keys, { key })
  return bytes
end

-- The oldest `most` tasks of a terminal state for which `wanted(end, tasks before, bytes before)` holds.
local function remove_oldest(context, state, most, wanted, removed)
  local keys = context.keys
  local finished_key = keys.finished .. state
  local slice = most > 0 and redis.call('ZRANGE', finished_key, 0, most - 1, 'WITHSCORES') or {}
  local results, names = {}, {}
  for i = 1, #slice, 2 do
    local n = #names + 1
    names[n], results[n] = slice[i], keys.result .. slice[i]
  end
  local has_results = #results > 0 and redis.call('EXISTS', unpack(results)) > 0
  local texts = plain_texts(keys, names)
  local gone, gone_bytes = {}, 0
  for i = 1, #slice, 2 do
    if not wanted(tonumber(slice[i + 1]), #gone, gone_bytes) then
      break
    end
    local key, text = slice[i], texts[#gone + 1]
    local brief = text and read_plain(text).brief or redis.call('HGET', keys.state .. key, 'brief')
    gone[#gone + 1], removed[#removed + 1] = key, key
    gone_bytes = gone_bytes + count_removed(context, key, state, brief, has_results)
  end
  if #gone > 0 then
    unlink_tasks(keys, gone)
    redis.call('ZREM', finished_key, unpack(gone))
    redis.call('HINCRBY', keys.meta, 'bytes:' .. state, -gone_bytes)
  end
  return #gone
end
