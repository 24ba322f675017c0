--! Removes finished tasks beyond retention, and drops from the journal what it need not hold.
--! flags allow-oom
--! include clock context record state settings lanes ordering moves finished removal
--! arg now
--! each terminal state, longest age in ms, most tasks, most bytes
--! reply count, more (1 or 0)

local context = new_context(keys, read_clock(now))
local now_ms, left = context.now, limits.pruneTasksMax
local removed = {}

local totals, all, counts = {}, 0, redis.call('HGETALL', keys.counts)
for i = 1, #counts, 2 do
  add(totals, string.sub(counts[i], 3), counts[i + 1])
  all = all + counts[i + 1]
end

for i = first_each, #ARGV, 4 do
  local state, age_max, tasks_max, bytes_max = ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3])
  local count, before = (totals[state] or 0) - tasks_max, now_ms - age_max
  local bytes = (redis.call('HGET', keys.meta, 'bytes:' .. state) or 0) - bytes_max
  local oldest = redis.call('ZRANGE', keys.finished .. state, 0, 0, 'WITHSCORES')[2]
  if left > 0 and oldest and (count > 0 or bytes > 0 or tonumber(oldest) < before) then
    left = left - remove_oldest(context, state, left, count, bytes, before, removed)
  end
end
call_each('ZREM', keys.elders, removed)
finish_call(context)

-- A task that lives long must not keep the journal of all that came after it: once half of the journal is
-- waste, such a task moves to the elders.
local wasteful = redis.call('LLEN', keys.journal) > 2 * (all - #removed) + 1000
local position = tonumber(redis.call('HGET', keys.meta, 'journal') or 0)
local heads = redis.call('LRANGE', keys.journal, 0, limits.pruneTasksMax - 1)
local dropped, gone = 0, {}
for _, key in ipairs(removed) do
  gone[key] = true
end
for _, key in ipairs(heads) do
  if not gone[key] and read_position(keys.task .. key) == position + dropped then
    if not wasteful then
      break
    end
    redis.call('ZADD', keys.elders, position + dropped, key)
  end
  dropped = dropped + 1
end
if dropped > 0 then
  redis.call('LTRIM', keys.journal, dropped, -1)
  redis.call('HSET', keys.meta, 'journal', position + dropped)
end
return { #removed, (left <= 0 or dropped == limits.pruneTasksMax) and 1 or 0 }
