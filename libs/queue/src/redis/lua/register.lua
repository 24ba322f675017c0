--! Registers a worker, or hears that it is still there.
--! flags allow-oom
--! include clock registry
--! arg now
--! arg id
--! arg ttl_ms
--! arg description      what it says of itself
--! reply too-many-workers, or its row (registry.lua)

local now_ms = read_clock(now)
local stamp = string.format('%.0f', now_ms)
local known = read_worker(keys, now_ms, id)
local silent = redis.call('ZRANGE', keys.workerDeadlines, '-inf', now_ms, 'BYSCORE', 'LIMIT', 0, limits.choreTasksMax)
forget_workers(keys, silent)
if not known then
  forget_workers(keys, { id })
  if redis.call('ZCARD', keys.workerIds) >= limits.workersMax then
    return 'too-many-workers'
  end
end
local registered = known and string.match(known[2], '^%d+') or stamp
redis.call('HSET', keys.workerRecords, id, registered .. ' ' .. stamp .. ' ' .. description)
redis.call('ZADD', keys.workerDeadlines, now_ms + ttl_ms, id)
redis.call('ZADD', keys.workerIds, 0, id)
return read_worker(keys, now_ms, id)
