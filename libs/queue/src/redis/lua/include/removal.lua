-- Counts a finished task as removed; returns the bytes that go with it.
local function count_removed(context, key, state, brief, has_result)
  local keys = context.keys
  local task = ending_task(keys, key, brief or '')
  if not task then
    return 0
  end
  count_moves(context, task.priority, state, '-', task.type, 1)
  return task.payload_bytes + (has_result and redis.call('STRLEN', keys.result .. key) or 0) + limits.taskOverheadBytes
end

-- Adds to `doomed` what is stored of a task. Where what happened to it is a string it has neither errors nor log lines.
local function doom(keys, doomed, key, state_key, is_plain, has_result)
  local n = #doomed
  doomed[n + 1], doomed[n + 2] = keys.task .. key, state_key
  if not is_plain then
    doomed[n + 3], doomed[n + 4] = keys.errors .. key, keys.logs .. key
  end
  if has_result then
    doomed[#doomed + 1] = keys.result .. key
  end
end

-- Removes a finished task; returns the bytes that went. The caller takes it out of the index of its state and, with
-- `removed`, out of the elders.
local function remove_task(context, key, state, removed)
  removed[#removed + 1] = key
  local bytes = count_removed(context, key, state, read_state(context.keys, key, 'brief')[1], true)
  local doomed = {}
  doom(context.keys, doomed, key, context.keys.state .. key, false, true)
  redis.call('UNLINK', unpack(doomed))
  return bytes
end

-- Removes the oldest tasks of a terminal state, at most `most`: `count` of them, more until `bytes` have gone, and all that ended
-- before a time. Returns how many went.
local function remove_oldest(context, state, most, count, bytes, before, removed)
  local keys = context.keys
  local finished_key = keys.finished .. state
  local names, ends, through = read_finished(finished_key, false, most, '', '')
  count = math.max(count, 0)
  while ends[count + 1] and tonumber(ends[count + 1]) < before do
    count = count + 1
  end
  if bytes <= 0 then
    most = math.min(most, count)
  end
  local results, state_keys = {}, {}
  for i = 1, math.min(#names, most) do
    results[i], state_keys[i] = keys.result .. names[i], keys.state .. names[i]
  end
  local has_results = #results > 0 and redis.call('EXISTS', unpack(results)) > 0
  local texts = plain_texts(state_keys)
  -- In one command: 1 us less of each.
  local doomed, gone, gone_bytes = {}, 0, 0
  for i, state_key in ipairs(state_keys) do
    if i > count and gone_bytes >= bytes then
      break
    end
    local key, text = names[i], texts[i]
    local brief = text and read_plain(text).brief or redis.call('HGET', state_key, 'brief')
    gone, removed[#removed + 1] = i, key
    gone_bytes = gone_bytes + count_removed(context, key, state, brief, has_results)
    doom(keys, doomed, key, state_key, text, has_results)
  end
  if gone > 0 then
    redis.call('UNLINK', unpack(doomed))
    local ended, rest = ends[gone], {}
    for i = gone + 1, #names do
      rest[#rest + 1] = ends[i] == ended and names[i] or nil
    end
    redis.call('ZREMRANGEBYRANK', finished_key, 0, through[ended] - 1)
    add_finished(finished_key, ended, rest)
    redis.call('HINCRBY', keys.meta, 'bytes:' .. state, -gone_bytes)
  end
  return gone
end
