--! Replaces the settings of the queue, or of one tenant.
--! flags allow-oom
--! include clock context record state settings lanes ordering moves
--! arg now
--! arg tenant           '' for the queue
--! arg settings         JSON; '' for none
--! reply done, or queue-not-empty where the mode cannot change now

local context = new_context(keys, read_clock(now))

local function open_tasks()
  local sum, counts = 0, redis.call('HGETALL', keys.counts)
  for i = 1, #counts, 2 do
    if is_open[string.match(counts[i], ':(.*)')] then
      sum = sum + counts[i + 1]
    end
  end
  return sum
end

-- Limits may have been raised: all parked tenants are looked at again, a bounded number of them at once.
local function review_all()
  if context.has_parked then
    redis.call('HSET', keys.meta, 'review', '1')
    unpark_due(context)
  end
end

if tenant == '' then
  local before = context.settings.mode or 'fair'
  if (cjson.decode(settings).mode or 'fair') ~= before and open_tasks() > 0 then
    return 'queue-not-empty'
  end
  redis.call('HSET', keys.meta, 'settings', settings)
  context.settings = cjson.decode(settings)
  review_all()
else
  if settings ~= '' then
    redis.call('HSET', keys.tenantSettings, tenant, settings)
    redis.call('HSET', keys.meta, 'has:settings', '1')
    context.has_settings = true
  else
    redis.call('HDEL', keys.tenantSettings, tenant)
  end
  note_tenant(context, tenant)
  unpark(context, tenant)
end
redis.call('HSET', keys.meta, 'operated', '1')
wake_waiting(context)
finish_call(context)
return 'done'
