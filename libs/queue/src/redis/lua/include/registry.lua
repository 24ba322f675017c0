-- Takes workers out of all that the registry has.
local function forget_workers(keys, ids)
  if #ids > 0 then
    for _, key in ipairs({ keys.workerIds, keys.workerDeadlines }) do
      redis.call('ZREM', key, unpack(ids))
    end
    for _, key in ipairs({ keys.workerRecords, keys.workerCommands }) do
      redis.call('HDEL', key, unpack(ids))
    end
  end
end

-- A worker's record, deadline and command ('' for none); nil where it is not registered, or silent for too long.
local function read_worker(keys, now, id)
  local deadline = redis.call('ZSCORE', keys.workerDeadlines, id)
  if deadline and tonumber(deadline) > now then
    return { id, redis.call('HGET', keys.workerRecords, id), deadline, redis.call('HGET', keys.workerCommands, id) or '' }
  end
end
