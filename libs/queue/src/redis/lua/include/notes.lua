-- Lines a handler wrote, which are values[first] to values[first + count - 1]. Returns what to tell those who follow:
-- the number of the last line, counted over the life of the task, and how many are new; nothing where none is.
local function add_logs(keys, now, key, attempt, values, first, count)
  if count == 0 then
    return nil
  end
  for i = first, first + count - 1 do
    redis.call('RPUSH', keys.logs .. key, now .. ' ' .. attempt .. ' ' .. values[i])
  end
  redis.call('LTRIM', keys.logs .. key, -limits.logLinesKept, -1)
  local written = redis.call('HINCRBY', keys.state .. key, 'logged', count)
  return 'logs ' .. key .. ' ' .. attempt .. ' ' .. written .. ' ' .. count
end

-- `detail` is the error as JSON, or '' for a lost lease.
local function add_error(keys, now, key, attempt, worker, detail)
  redis.call('RPUSH', keys.errors .. key, now .. ' ' .. attempt .. ' ' .. worker .. ' ' .. detail)
  redis.call('LTRIM', keys.errors .. key, -limits.errorsKept, -1)
end
