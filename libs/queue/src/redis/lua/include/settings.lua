local no_settings = { weight = 1 }

-- A tenant's own settings over those the queue has for all.
local function read_tenant_settings(context, tenant)
  if not context.has_settings and not context.settings.tenants then
    return no_settings
  end
  local known = context.tenant_settings[tenant]
  if known then
    return known
  end
  local own = context.has_settings and redis.call('HGET', context.keys.tenantSettings, tenant)
  known = { weight = 1 }
  for field, value in pairs(context.settings.tenants or {}) do
    known[field] = value
  end
  for field, value in pairs(own and cjson.decode(own) or {}) do
    known[field] = value
  end
  context.tenant_settings[tenant] = known
  return known
end

local function tenant_is_paused(context, tenant)
  return context.has_pauses and redis.call('SISMEMBER', context.keys.pausedTenants, tenant) == 1
end

-- Time between two starts of a rate, and how many may come at once. The default burst is that of settings.ts.
local function interval_of(rate)
  return rate.perMs / rate.limit, rate.burst or math.max(1, math.ceil(rate.limit / rate.perMs * 100))
end

-- How many starts a rate allows now, where the next one is due at `tat` if they come evenly: the generic cell
-- rate algorithm (ITU-T I.371).
local function rate_allows(rate, tat, now)
  local interval, burst = interval_of(rate)
  local ahead = math.max(tat - now, 0)
  return math.max(0, math.floor((burst * interval - ahead) / interval + 1e-9))
end

-- From when it allows one more.
local function rate_allows_at(rate, tat)
  local interval, burst = interval_of(rate)
  return math.ceil(tat - burst * interval + interval)
end

local function charge_rate(rate, tat, now, count)
  return math.max(tat, now) + count * interval_of(rate)
end

-- A tenant of which an operator has said something is listed also where it has no tasks.
local function note_tenant(context, tenant)
  local keys = context.keys
  if tenant_is_known(context, tenant) then
    redis.call('ZADD', keys.tenants, 'NX', 0, tenant)
  elseif tonumber(redis.call('ZSCORE', keys.tenants, tenant)) == 0 then
    redis.call('ZREM', keys.tenants, tenant)
  end
end
