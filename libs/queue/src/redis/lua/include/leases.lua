-- Notes that a worker's leases of tasks end, and what that counts as among its totals. The list of keys is given away.
local function end_leases(context, worker, task_keys, outcome)
  local ended, count = context.unleased[worker], #task_keys
  if not ended then
    ended = { keys = task_keys, outcomes = {} }
    context.unleased[worker] = ended
  else
    local n = #ended.keys
    for i = 1, count do
      ended.keys[n + i] = task_keys[i]
    end
  end
  add(ended.outcomes, outcome, count)
end

-- Takes them out of the indexes, with one command per worker.
local function write_ended_leases(context)
  local keys = context.keys
  for worker, ended in pairs(context.unleased) do
    call_each('ZREM', keys.leases, ended.keys)
    call_each('SREM', keys.leasedBy .. worker, ended.keys)
    for outcome, count in pairs(ended.outcomes) do
      local total = redis.call('HINCRBY', keys.totals .. worker, outcome, count)
      -- With the first and about each thousandth, not always: that would be one more command per call.
      if (total == count or total % 1000 < count) and redis.call('ZADD', keys.workers, context.stamp, worker) == 1
        and redis.call('ZCARD', keys.workers) > limits.workersKept then
        redis.call('UNLINK', keys.totals .. redis.call('ZPOPMIN', keys.workers)[1])
      end
    end
  end
  context.unleased = {}
end
