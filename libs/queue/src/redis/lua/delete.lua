--! Removes a queue in which nothing waits or runs, a bounded part of it.
--! flags allow-oom
--! include clock context record state settings lanes ordering moves finished removal
--! arg now
--! reply queue-not-empty, or tasks removed, more (1 or 0)

local context = new_context(keys, read_clock(now))
local counts = redis.call('HGETALL', keys.counts)
for i = 1, #counts, 2 do
  if is_open[string.match(counts[i], ':(.*)')] and tonumber(counts[i + 1]) > 0 then
    return 'queue-not-empty'
  end
end
local left, removed = limits.purgeTasksMax, {}
for _, state in ipairs({ 'completed', 'failed', 'cancelled', 'expired' }) do
  if left > 0 then
    left = left - remove_oldest(context, state, left, left, 0, 0, removed)
  end
end
call_each('ZREM', keys.elders, removed)
finish_call(context)

-- Lanes may still hold entries of tasks that have ended, and lists of ordering keys too.
local function unlink_lane(lane, index, member)
  redis.call('UNLINK', lane)
  redis.call('ZREM', index, member)
  left = left - 1
end
for priority = 1, 6 do
  for _, tenant in ipairs(left > 0 and redis.call('ZRANGE', keys.ring .. priority, 0, left - 1) or {}) do
    unlink_lane(keys.lane .. priority .. ':' .. tenant, keys.ring .. priority, tenant)
  end
end
for _, held in ipairs(left > 0 and redis.call('ZRANGE', keys.held, 0, left - 1) or {}) do
  if string.sub(held, 1, 1) == '~' then
    local scope = string.sub(held, 2)
    redis.call('UNLINK', keys.asides .. string.match(scope, '^[^~]+'))
    unlink_lane(keys.aside .. scope, keys.held, held)
  else
    unlink_lane(keys.lane .. held, keys.held, held)
  end
end
for _, tenant in ipairs(left > 0 and redis.call('ZRANGE', keys.watched, 0, left - 1) or {}) do
  unlink_lane(keys.wakeOf .. tenant, keys.watched, tenant)
end
for _, worker in ipairs(left > 0 and redis.call('ZRANGE', keys.workers, 0, left - 1) or {}) do
  unlink_lane(keys.totals .. worker, keys.workers, worker)
end
for _, tenant in ipairs(left > 0 and redis.call('ZRANGE', keys.tenants, 0, left - 1) or {}) do
  unlink_lane(keys.tenant .. tenant, keys.tenants, tenant)
end
if left <= 0 then
  return { #removed, 1 }
end
for priority = 1, 6 do
  redis.call('UNLINK', keys.ring .. priority, keys.resting .. priority, keys.oldest .. priority)
end
redis.call('UNLINK', keys.due, keys.expiry, keys.leases, keys.journal, keys.elders, keys.counts, keys.types,
  keys.typeCounts, keys.meta, keys.wake, keys.parked, keys.review, keys.held, keys.holders,
  keys.tenantSettings, keys.pausedTenants, keys.tenants, keys.served, keys.watched, keys.events)
local this_minute, minutes = math.floor(context.now / 60000), {}
for minute = this_minute, this_minute - limits.minuteBucketsKeptMs / 60000, -1 do
  minutes[#minutes + 1] = keys.minute .. minute
end
redis.call('UNLINK', unpack(minutes))
return { #removed, 0 }
