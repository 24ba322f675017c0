-- What a script gathers while it goes and writes once at its end: counters, events, indexes. One command per
-- group instead of one per task.
local function new_context(keys, now)
  -- `stamp` is `now` as text: Lua and Redis format a number anew each time it is used as one, at 0.4 us.
  local stamp = string.format('%.0f', now)
  return { keys = keys, now = now, stamp = stamp, moves = {}, minute = {}, lines = {}, finished = {}, bytes = {}, unleased = {}, wake = false }
end

-- unpack() takes at most 7,999 values; scripts are given at most 1,000 tasks of at most 2 values.
local function call_each(command, key, values)
  if #values > 0 then
    redis.call(command, key, unpack(values))
  end
end

local function add_minute(context, event, count)
  context.minute[event] = (context.minute[event] or 0) + count
end

-- `from` is '-' for a task that is born, `to` is '-' for one that is removed.
local function record_move(context, priority, type, from, to, key, attempt)
  local move = priority .. ' ' .. from .. ' ' .. to .. ' ' .. type
  context.moves[move] = (context.moves[move] or 0) + 1
  if to ~= '-' then
    context.lines[#context.lines + 1] = to .. ' ' .. key .. ' ' .. attempt
  end
end

local minute_event_of = {
  running = 'started', completed = 'completed', retrying = 'retried',
  failed = 'failed', cancelled = 'cancelled', expired = 'expired',
}

local function add(sums, name, count)
  sums[name] = (sums[name] or 0) + count
end

local function write_counts(context)
  local keys = context.keys
  local counts, types, totals = {}, {}, {}
  for move, count in pairs(context.moves) do
    local priority, from, to, type = string.match(move, '^(%d) (%S+) (%S+) (.*)$')
    if from == '-' then
      add(totals, type, count)
      add_minute(context, 'enqueued', count)
    else
      add(counts, priority .. ':' .. from, -count)
      add(types, from .. '|' .. type, -count)
    end
    if to == '-' then
      add(totals, type, -count)
    else
      add(counts, priority .. ':' .. to, count)
      add(types, to .. '|' .. type, count)
      if minute_event_of[to] then
        add_minute(context, minute_event_of[to], count)
      end
    end
  end
  for field, count in pairs(counts) do
    redis.call('HINCRBY', keys.counts, field, count)
  end
  for field, count in pairs(types) do
    if count ~= 0 and redis.call('HINCRBY', keys.typeCounts, field, count) == 0 then
      redis.call('HDEL', keys.typeCounts, field)
    end
  end
  for type, count in pairs(totals) do
    if tonumber(redis.call('ZINCRBY', keys.types, count, type)) == 0 then
      redis.call('ZREM', keys.types, type)
    end
  end
end

local function write_minute(context)
  if next(context.minute) == nil then
    return
  end
  local key = context.keys.minute .. math.floor(context.now / 60000)
  for event, count in pairs(context.minute) do
    if redis.call('HINCRBY', key, event, count) == count then
      redis.call('PEXPIRE', key, limits.minuteBucketsKeptMs)
    end
  end
end

local function ring_wake(wake_key)
  if redis.call('LLEN', wake_key) == 0 then
    redis.call('LPUSH', wake_key, '1')
  end
end

local function write_context(context)
  local keys = context.keys
  call_each('ZREM', keys.leases, context.unleased)
  for state, members in pairs(context.finished) do
    call_each('ZADD', keys.finished .. state, members)
    redis.call('HINCRBY', keys.meta, 'bytes:' .. state, context.bytes[state])
  end
  write_counts(context)
  write_minute(context)
  if #context.lines > 0 then
    redis.call('XADD', keys.events, 'MAXLEN', '~', limits.eventsKept, '*', 't', table.concat(context.lines, '\n'))
  end
  if context.wake then
    ring_wake(keys.wake)
  end
end
