-- Lines a handler wrote, which are values[first] to values[first + count - 1].
local function add_logs(keys, now, key, attempt, values, first, count)
  for i = first, first + count - 1 do
    redis.call('RPUSH', keys.logs .. key, now .. ' ' .. attempt .. ' ' .. values[i])
  end
  if count > 0 then
    redis.call('LTRIM', keys.logs .. key, -limits.logLinesKept, -1)
  end
end

-- `detail` is the error as JSON, or '' for a lost lease.
local function add_error(keys, now, key, attempt, worker, detail)
  redis.call('RPUSH', keys.errors .. key, now .. ' ' .. attempt .. ' ' .. worker .. ' ' .. detail)
  redis.call('LTRIM', keys.errors .. key, -limits.errorsKept, -1)
end
