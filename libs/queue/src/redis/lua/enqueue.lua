--! Stores tasks. All checks come before any write where `atomic` is 1; else each task is on its own.
--! flags
--! include clock context record settings lanes ordering moves due
--! arg now              override of the clock, '' in production
--! arg atomic           1 or 0
--! each key, terms, body (record.ts); terms: the priority, and where there is more to say ␟ due ('' at once, d<ms> from now, a<ms> absolute) ␟ ttl ms or '' ␟ idempotency key or '' ␟ fingerprint
--! reply now, starts in the last whole minute, then for each task that was not stored: index from 0, code, key, record

local now_ms = read_clock(now)
local context = new_context(keys, now_ms)

local function read_terms(terms)
  if #terms == 1 then
    return terms, '', '', '', ''
  end
  return string.match(terms, '^(%d)\31([^\31]*)\31([^\31]*)\31([^\31]*)\31(.*)$')
end

-- Tasks of this call that a later one may repeat, while nothing is written yet.
local bodies, used = {}, {}

local function stored_body(key)
  if bodies[key] then
    return bodies[key]
  end
  local record = redis.call('GET', keys.task .. key)
  if record then
    -- A change of priority since makes it no other submission.
    local submitted = redis.call('HGET', keys.state .. key, 'submitted')
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

local function tenant_of(body)
  return string.match(body, '^%d+\31([^\31]*)')
end

if atomic == '1' then
  local refused = false
  for i = first_each, #ARGV, 3 do
    local key, body = ARGV[i], ARGV[i + 2]
    local priority, _, _, idempotency, fingerprint = read_terms(ARGV[i + 1])
    local code, first, record = objection_of_idempotency(idempotency, fingerprint)
    if not code then
      code, first, record = objection_of_key(key, priority, body)
    end
    if not code then
      code, first = admit(tenant_of(body)), key
    end
    if not code then
      bodies[key] = priority .. body
      if idempotency ~= '' then
        used[idempotency] = fingerprint .. ' ' .. key
      end
    elseif code ~= 'replayed' then
      refused = true
      object((i - first_each) / 3, code, first, '')
    elseif record ~= '' then
      -- What an earlier call stored stays stored, whatever becomes of this one.
      object((i - first_each) / 3, code, first, record)
    end
  end
  if refused then
    return reply
  end
  bodies, used, reply, backlog, backlogs = {}, {}, { now_ms, 0 }, nil, {}
end

local lanes, journal = {}, {}
local stamp = context.stamp
local position = tonumber(redis.call('HGET', keys.meta, 'journal') or 0) + redis.call('LLEN', keys.journal)
for i = first_each, #ARGV, 3 do
  local key, body = ARGV[i], ARGV[i + 2]
  local priority, due, ttl, idempotency, fingerprint = read_terms(ARGV[i + 1])
  local code, first, record = objection_of_idempotency(idempotency, fingerprint)
  local due_ms, expires = now_ms, ''
  if due ~= '' then
    due_ms = tonumber(string.sub(due, 2)) + (string.sub(due, 1, 1) == 'd' and now_ms or 0)
  end
  if ttl ~= '' then
    expires = string.format('%.0f', math.max(now_ms, due_ms) + ttl)
  end
  local tenant, type, ordering = string.match(body, '^%d+\31([^\31]*)\31([^\31]*)\31([^\31]*)')
  -- Most keys are new: one command both looks and stores, unless it may have to be refused for other reasons.
  local limited = draining or settings.backlog or read_tenant_settings(context, tenant).backlog
  if limited and not code then
    code, first, record = objection_of_key(key, priority, body)
    if not code then
      code, first, record = admit(tenant), key, ''
    end
  end
  local record_text = '2\31' .. priority .. '\31' .. stamp .. '\31' .. expires .. '\31' .. (position + #journal) .. '\31' .. body
  if not code and not redis.call('SET', keys.task .. key, record_text, 'NX') then
    code, first, record = objection_of_key(key, priority, body)
  end
  if code then
    object((i - first_each) / 3, code, first, record)
  else
    local task = { key = key, priority = priority, tenant = tenant, type = type, ordering = ordering }
    if idempotency ~= '' then
      redis.call('SET', keys.idempotency .. idempotency, fingerprint .. ' ' .. key, 'PX', limits.idempotencyMs)
    end
    if expires ~= '' then
      redis.call('ZADD', keys.expiry, expires, key)
    end
    if due_ms > now_ms then
      redis.call('HSET', keys.state .. key, 'state', 'scheduled', 'due', due_ms)
      add_due(context, key, due_ms)
      record_move(context, task, '-', 'scheduled', '0')
    else
      add_to_lane(context, lanes, task, stamp)
      record_move(context, task, '-', 'pending', '0')
    end
    journal[#journal + 1] = key
  end
end
push_lanes(context, lanes)
call_each('RPUSH', keys.journal, journal)
finish_call(context)
return reply
