--! Stores tasks. All checks come before any write where `atomic` is 1; else each task is on its own.
--! flags
--! include clock context record state settings lanes ordering moves due
--! arg now              override of the clock, '' in production
--! arg atomic           1 or 0
--! each key, terms, body (record.ts); terms: the priority, and where there is more to say ␟ due ('' at once, d<ms> from now, a<ms> absolute) ␟ ttl ms or '' ␟ idempotency key or '' ␟ fingerprint; '' where a task says the same as the one before, of tenant, type and ordering key too
--! reply now, starts in the last whole minute, then for each task that was not stored: index from 0, code, key, record

local now_ms = read_clock(now)
local context = new_context(keys, now_ms)

-- Tasks of this call that a later one may repeat, while nothing is written yet.
local bodies, used = {}, {}

local function stored_body(key)
  if bodies[key] then
    return bodies[key]
  end
  local record = redis.call('GET', keys.task .. key)
  if record then
    -- A change of priority since makes it no other submission.
    local submitted = read_state(keys, key, 'submitted')[1]
    if submitted then
      record = '2\31' .. submitted .. string.sub(record, 4)
    end
    local priority, body = string.match(record, '^2\31(%d)\31%d+\31%d*\31%d+\31(.*)$')
    return priority .. body, record
  end
end

-- How many tasks wait, in the queue and of each tenant, with those that this call stores; known where there is a limit.
local settings, draining = context.settings, context.draining
local waiting_states = { 'scheduled', 'pending', 'retrying' }
local backlog, backlogs = nil, {}

local function read_backlog()
  local fields = {}
  for priority = 1, 6 do
    for _, state in ipairs(waiting_states) do
      fields[#fields + 1] = priority .. ':' .. state
    end
  end
  local sum = 0
  for _, count in ipairs(redis.call('HMGET', keys.counts, unpack(fields))) do
    sum = sum + (count or 0)
  end
  return sum
end

local function read_tenant_backlog(tenant)
  local counts = redis.call('HMGET', keys.tenant .. tenant, 'open', 'running')
  return (counts[1] or 0) - (counts[2] or 0)
end

-- Counts a task that is about to be stored, or says why it is not to be.
local function admit(tenant)
  if draining then
    return 'queue-draining'
  end
  local most = read_tenant_settings(context, tenant).backlog
  backlog = settings.backlog and (backlog or read_backlog())
  backlogs[tenant] = most and (backlogs[tenant] or read_tenant_backlog(tenant))
  if settings.backlog and backlog >= settings.backlog or most and backlogs[tenant] >= most then
    return 'backlog-full'
  end
  if most then
    backlogs[tenant] = backlogs[tenant] + 1
  end
  if backlog then
    backlog = backlog + 1
  end
end

-- Why a task is not to be stored: code, key, record; nothing where it is.
local function objection_of_idempotency(idempotency, fingerprint)
  local use = idempotency ~= '' and (used[idempotency] or redis.call('GET', keys.idempotency .. idempotency))
  if use then
    local print, first = string.match(use, '^(%S+) (.*)$')
    if print ~= fingerprint then
      return 'idempotency-mismatch', first, ''
    end
    local known, record = stored_body(first)
    return known and 'replayed' or 'task-gone', first, record or ''
  end
end

local function objection_of_key(key, priority, body)
  local known, record = stored_body(key)
  if known then
    return known == priority .. body and 'replayed' or 'id-conflict', key, record or ''
  end
end

local function started_last_minute()
  return tonumber(redis.call('HGET', keys.minute .. (math.floor(now_ms / 60000) - 1), 'started') or 0)
end

local reply = { now_ms, 0 }
local function object(index, code, key, record)
  local n = #reply
  reply[n + 1], reply[n + 2], reply[n + 3], reply[n + 4] = index, code, key, record
  if code == 'backlog-full' then
    reply[2] = started_last_minute()
  end
end

-- What a task says beside its key and payload.
local function read_terms(terms, body)
  local priority, due, ttl, idempotency, fingerprint = terms, '', '', '', ''
  if #terms > 1 then
    priority, due, ttl, idempotency, fingerprint = string.match(terms, '^(%d)\31([^\31]*)\31([^\31]*)\31([^\31]*)\31(.*)$')
  end
  local tenant, type, ordering = string.match(body, '^%d+\31([^\31]*)\31([^\31]*)\31([^\31]*)')
  local due_ms, expires = now_ms, ''
  if due ~= '' then
    due_ms = tonumber(string.sub(due, 2)) + (string.sub(due, 1, 1) == 'd' and now_ms or 0)
  end
  if ttl ~= '' then
    expires = string.format('%.0f', math.max(now_ms, due_ms) + ttl)
  end
  return {
    priority = priority, tenant = tenant, type = type, ordering = ordering, due_ms = due_ms, expires = expires,
    idempotency = idempotency, fingerprint = fingerprint,
    limited = draining or settings.backlog or read_tenant_settings(context, tenant).backlog, stored = {},
    head = '2\31' .. priority .. '\31' .. context.stamp .. '\31' .. expires .. '\31',
  }
end

-- What each says, and its key and body. Those that say the same share one, whose `stored` gathers their keys.
local tasks, task_keys, task_bodies, count = {}, {}, {}, 0
for i = first_each, #ARGV, 3 do
  local terms, body = ARGV[i + 1], ARGV[i + 2]
  count = count + 1
  tasks[count], task_keys[count], task_bodies[count] = terms == '' and tasks[count - 1] or read_terms(terms, body), ARGV[i], body
end

if atomic == '1' then
  local refused = false
  for n, task in ipairs(tasks) do
    local key, body = task_keys[n], task_bodies[n]
    local idempotency = task.idempotency
    local code, first, record = objection_of_idempotency(idempotency, task.fingerprint)
    if not code then
      code, first, record = objection_of_key(key, task.priority, body)
    end
    if not code then
      code, first = admit(task.tenant), key
    end
    if not code then
      bodies[key] = task.priority .. body
      if idempotency ~= '' then
        used[idempotency] = task.fingerprint .. ' ' .. key
      end
    elseif code ~= 'replayed' then
      refused = true
      object(n - 1, code, first, '')
    elseif record ~= '' then
      -- What an earlier call stored stays stored, whatever becomes of this one.
      object(n - 1, code, first, record)
    end
  end
  if refused then
    return reply
  end
  bodies, used, reply, backlog, backlogs = {}, {}, { now_ms, 0 }, nil, {}
end

-- A number put together with text would be formatted as a floating one, which takes twice as long.
local function record_of(task, position, body)
  return task.head .. string.format('%d', position) .. '\31' .. body
end

local journal = {}
local position = context.journal_from + redis.call('LLEN', keys.journal)

-- All are stored with one command, which saves 0.4 us for each, but where one may have to be refused or is there already.
local together, values, seen = count > 1, {}, {}
for n = 1, together and count or 0 do
  local task, key = tasks[n], task_keys[n]
  together = together and not seen[key] and not task.limited and task.idempotency == ''
  seen[key] = true
  values[n * 2 - 1], values[n * 2] = keys.task .. key, record_of(task, position + n - 1, task_bodies[n])
end
together = together and redis.call('MSETNX', unpack(values)) == 1

if together then
  journal = task_keys
  for n = 1, count do
    local stored = tasks[n].stored
    stored[#stored + 1] = task_keys[n]
  end
else
  for n = 1, count do
    local task, key, body = tasks[n], task_keys[n], task_bodies[n]
    local code, first, record = objection_of_idempotency(task.idempotency, task.fingerprint)
    if task.limited and not code then
      code, first, record = objection_of_key(key, task.priority, body)
      if not code then
        code, first, record = admit(task.tenant), key, ''
      end
    end
    if not code and not redis.call('SET', keys.task .. key, record_of(task, position + #journal, body), 'NX') then
      code, first, record = objection_of_key(key, task.priority, body)
    end
    if code then
      object(n - 1, code, first, record)
    else
      if task.idempotency ~= '' then
        redis.call('SET', keys.idempotency .. task.idempotency, task.fingerprint .. ' ' .. key, 'PX', limits.idempotencyMs)
      end
      task.stored[#task.stored + 1], journal[#journal + 1] = key, key
    end
  end
end

local lanes = {}
for n, task in ipairs(tasks) do
  local stored = task.stored
  if task ~= tasks[n - 1] and #stored > 0 then
    local later = task.due_ms > now_ms
    if not later then
      add_all_to_lane(context, lanes, task, stored, context.stamp)
    end
    for _, key in ipairs(later and stored or {}) do
      redis.call('HSET', keys.state .. key, 'state', 'scheduled', 'due', task.due_ms)
      add_due(context, key, task.due_ms)
    end
    for _, key in ipairs(task.expires ~= '' and stored or {}) do
      redis.call('ZADD', keys.expiry, task.expires, key)
    end
    record_moves(context, task, stored, '-', later and 'scheduled' or 'pending', '0')
  end
end
push_lanes(context, lanes)
call_each('RPUSH', keys.journal, journal)
-- Of what else ends a call (finish_call) nothing can be here: none left a lane or gave up a key.
write_context(context)
return reply
