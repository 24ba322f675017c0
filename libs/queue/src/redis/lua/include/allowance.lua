-- How many tasks the queue may start now, and if none until when: a time, or nil where only something else can change it.
local function queue_allowance(context)
  local now, settings = context.now, context.settings
  if context.paused then
    return 0
  end
  local allowed, until_ms = math.huge, nil
  if settings.concurrency then
    allowed = settings.concurrency - redis.call('ZCARD', context.keys.leases)
    if allowed <= 0 then
      return 0
    end
  end
  if settings.rate then
    local starts = rate_allows(settings.rate, context.tat, now)
    allowed = math.min(allowed, starts)
    if starts == 0 then
      until_ms = rate_allows_at(settings.rate, context.tat)
    end
  end
  if context.not_before > now then
    allowed, until_ms = 0, math.max(context.not_before, until_ms or 0)
  end
  return allowed, until_ms
end

local function charge_queue(context, count)
  local rate = context.settings.rate
  if rate and count > 0 then
    context.tat = charge_rate(rate, context.tat, context.now, count)
    redis.call('HSET', context.keys.meta, 'tat', string.format('%.17g', context.tat))
  end
end

-- The same of a tenant; until '+inf' where it must be told.
local function tenant_allowance(context, tenant)
  if tenant_is_paused(context, tenant) then
    return 0, '+inf'
  end
  local settings = read_tenant_settings(context, tenant)
  if not settings.concurrency and not settings.rate then
    return math.huge
  end
  local changes = changes_of(context, tenant)
  if not changes.known_running then
    local known = redis.call('HMGET', context.keys.tenant .. tenant, 'running', 'tat')
    changes.known_running, changes.known_tat = tonumber(known[1] or '0'), tonumber(known[2] or '0')
  end
  local allowed = math.huge
  if settings.concurrency then
    allowed = settings.concurrency - changes.known_running - changes.running
    if allowed <= 0 then
      return 0, '+inf'
    end
  end
  if settings.rate then
    local tat = changes.tat or changes.known_tat
    local starts = rate_allows(settings.rate, tat, context.now)
    if starts == 0 then
      return 0, rate_allows_at(settings.rate, tat)
    end
    allowed = math.min(allowed, starts)
  end
  return allowed
end

local function charge_tenant(context, tenant, count)
  local rate = count > 0 and tenant ~= '~' and read_tenant_settings(context, tenant).rate
  if rate then
    local changes = changes_of(context, tenant)
    changes.tat = charge_rate(rate, changes.tat or changes.known_tat, context.now, count)
  end
end

-- In FIFO mode: one task at a time, and while one holds the queue no other.
local function fifo_allowance(context)
  local head = redis.call('LINDEX', context.keys.lane .. '3:~', 0)
  local holder = redis.call('HGET', context.keys.holders, '~')
  if holder and head and key_of(head) ~= holder then
    return 0, '+inf'
  end
  return 1
end
