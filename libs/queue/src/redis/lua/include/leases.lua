-- Notes that a worker's lease of a task ends, and what that counts as among its totals.
local function end_lease(context, worker, key, outcome)
  local ended = context.unleased[worker]
  if not ended then
    ended = { keys = {}, outcomes = {} }
    context.unleased[worker] = ended
  end
  ended.keys[#ended.keys + 1] = key
  add(ended.outcomes, outcome, 1)
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
