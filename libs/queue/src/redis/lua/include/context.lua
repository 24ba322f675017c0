-- What a script gathers while it goes and writes once at its end: counters, events, indexes. One command per
-- group instead of one per task.
-- It begins with all a queue says of itself as a whole, in one command: settings, gates, and which features were ever
-- used, so that those that were not cost nothing.
local function new_context(keys, now)
  local meta = redis.call('HMGET', keys.meta, 'settings', 'paused', 'draining', 'notBefore', 'tat', 'bound',
    'has:settings', 'has:pauses', 'has:parked', 'has:watchers', 'journal', 'v3')
  return {
    keys = keys, now = now,
    -- `now` as text: Lua and Redis format a number anew each time it is used as one, at 0.4 us.
    stamp = string.format('%.0f', now),
    settings = meta[1] and cjson.decode(meta[1]) or {}, paused = meta[2], draining = meta[3],
    not_before = tonumber(meta[4] or '0'), tat = tonumber(meta[5] or '0'), by_bound = meta[6] == '1',
    has_settings = meta[7], has_pauses = meta[8], has_parked = meta[9], has_watchers = meta[10], journal_from = meta[11] or 0,
    moves = {}, minute = {}, lines = {}, line_count = 0, finished = {}, bytes = {}, unleased = {}, tenants = {},
    -- Of the default priority alone, which mostly is the only one; others are read when they are asked for.
    ring_times = { [3] = tonumber(meta[12] or '0') }, moved_rings = {}, freed = {}, left_lanes = {}, tenant_settings = {},
    wake = false, wake_tenants = {},
  }
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

local function add(sums, name, count)
  sums[name] = (sums[name] or 0) + count
end

-- What this call changes of a tenant.
local function changes_of(context, tenant)
  local tenants = context.tenants
  local changes = tenants[tenant]
  if not changes then
    changes = { open = 0, running = 0, started = 0, waits = {} }
    tenants[tenant] = changes
  end
  return changes
end

-- Moves of tasks, counted by kind. Nearly all of a call are of one kind, so the latest is looked at first.
local function count_moves(context, priority, from, to, type, count)
  local move = context.latest_move
  if not move or move.to ~= to or move.type ~= type or move.priority ~= priority or move.from ~= from then
    local kind = priority .. from .. to .. type
    move = context.moves[kind] or { priority = priority, from = from, to = to, type = type, count = 0 }
    context.moves[kind], context.latest_move = move, move
  end
  move.count = move.count + count
end

local minute_event_of = {
  running = 'started', completed = 'completed', retrying = 'retried',
  failed = 'failed', cancelled = 'cancelled', expired = 'expired',
}

-- One thing that happened to a task, for those who follow: type and tenant are said where they are not those of the
-- line before in the same entry.
local function add_line(context, task, line)
  local count = context.line_count
  if count % limits.eventLinesMax == 0 or task.type ~= context.line_type or task.tenant ~= context.line_tenant then
    context.line_type, context.line_tenant = task.type, task.tenant
    line = line .. ' ' .. task.type .. ' ' .. task.tenant
  end
  context.line_state = nil
  context.lines[count + 1], context.line_count = line, count + 1
end

-- That tasks which differ in their keys alone have come to a state: a key alone where all else is as in the line before, as
-- nearly always.
local function add_state_lines(context, task, task_keys, state, attempt)
  local said = state == context.line_state and attempt == context.line_attempt and task.type == context.line_type
    and task.tenant == context.line_tenant
  local lines, count = context.lines, context.line_count
  for i = 1, #task_keys do
    if said and count % limits.eventLinesMax ~= 0 then
      lines[count + 1], context.line_count = task_keys[i], count + 1
    else
      add_line(context, task, state .. ' ' .. task_keys[i] .. ' ' .. attempt)
      context.line_state, context.line_attempt, said = state, attempt, true
    end
    count = count + 1
  end
end

local function write_lines(keys, lines)
  for i = 1, #lines, limits.eventLinesMax do
    local last = math.min(i + limits.eventLinesMax - 1, #lines)
    redis.call('XADD', keys.events, 'MAXLEN', '~', limits.eventsKept, '*', 't', table.concat(lines, '\n', i, last))
  end
end

local function write_counts(context)
  local keys = context.keys
  local counts, types, totals = {}, {}, {}
  for _, move in pairs(context.moves) do
    local priority, from, to, type, count = move.priority, move.from, move.to, move.type, move.count
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

-- Whether an operator has said something about a tenant.
local function tenant_is_known(context, tenant)
  local keys = context.keys
  return context.has_settings and redis.call('HEXISTS', keys.tenantSettings, tenant) == 1
    or context.has_pauses and redis.call('SISMEMBER', keys.pausedTenants, tenant) == 1
end

-- As in size-class.ts.
local function size_class(open)
  local _, bits = math.frexp(open)
  return math.ceil(bits / 2)
end

-- `sizes` are to be written to the index of tenants, `gone` taken out of it.
local function write_tenant(context, tenant, changes, sizes, gone)
  local keys = context.keys
  local tenant_key = keys.tenant .. tenant
  local open
  if changes.open ~= 0 then
    open = redis.call('HINCRBY', tenant_key, 'open', changes.open)
  end
  if changes.started == 0 then
    if changes.running ~= 0 then
      redis.call('HINCRBY', tenant_key, 'running', changes.running)
    end
  else
    local classes, waits = {}, {}
    for class, count in pairs(changes.waits) do
      local n = #classes + 1
      classes[n], waits[n] = 'w' .. class, count
      add_minute(context, classes[n], count)
    end
    local minute = math.floor(context.now / 60000)
    local known = redis.call('HMGET', tenant_key, 'running', 'starts', unpack(classes))
    -- Three numbers in one field: each field costs 0.4 us.
    local last, started, before = string.match(known[2] or '', '^(%d+) (%d+) (%d+)$')
    last = tonumber(last)
    if last ~= minute then
      started, before = 0, last == minute - 1 and started or 0
    end
    local starts = string.format('%d %d %d', minute, started + changes.started, before)
    local values = { 'running', (known[1] or 0) + changes.running, 'starts', starts }
    for i, class in ipairs(classes) do
      values[#values + 1] = class
      values[#values + 1] = (known[2 + i] or 0) + waits[i]
    end
    if changes.tat then
      values[#values + 1] = 'tat'
      values[#values + 1] = string.format('%.17g', changes.tat)
    end
    redis.call('HSET', tenant_key, unpack(values))
  end
  if not open then
    return
  end
  local size = size_class(open)
  if open == 0 and not tenant_is_known(context, tenant) then
    gone[#gone + 1] = tenant
  elseif size ~= size_class(open - changes.open) then
    sizes[#sizes + 1], sizes[#sizes + 2] = size, tenant
  end
  if open == 0 then
    redis.call('PEXPIRE', tenant_key, limits.idleTenantKeptMs)
  elseif open == changes.open then
    redis.call('PERSIST', tenant_key)
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

-- To the index of a terminal state: a member for all that ended together, where one for each cost 1.6 us of a task.
local function add_finished(finished_key, ended, task_keys)
  local members = {}
  for first = 1, #task_keys, limits.finishedTogetherMax do
    local n, last = #members, math.min(first + limits.finishedTogetherMax - 1, #task_keys)
    members[n + 1], members[n + 2] = ended, table.concat(task_keys, ' ', first, last)
  end
  call_each('ZADD', finished_key, members)
end

local function write_context(context)
  local keys = context.keys
  for state, task_keys in pairs(context.finished) do
    add_finished(keys.finished .. state, context.stamp, task_keys)
    redis.call('HINCRBY', keys.meta, 'bytes:' .. state, context.bytes[state])
  end
  for priority in pairs(context.moved_rings) do
    redis.call('HSET', keys.meta, 'v' .. priority, string.format('%.17g', context.ring_times[priority]))
  end
  write_counts(context)
  local sizes, gone = {}, {}
  for tenant, changes in pairs(context.tenants) do
    write_tenant(context, tenant, changes, sizes, gone)
  end
  call_each('ZADD', keys.tenants, sizes)
  call_each('ZREM', keys.tenants, gone)
  write_minute(context)
  write_lines(keys, context.lines)
  if context.wake then
    ring_wake(keys.wake)
  end
  for tenant in pairs(context.wake_tenants) do
    ring_wake(keys.wakeOf .. tenant)
  end
end
