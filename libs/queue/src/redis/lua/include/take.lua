-- One leased task, appended to `reply` as lease.lua describes it.
local function append_task(keys, reply, key, record, attempt, failures, crashes, token, deadline)
  local errors = ''
  if tonumber(attempt) > 1 then
    errors = table.concat(redis.call('LRANGE', keys.errors .. key, 0, -1), '\30')
  end
  local n = #reply
  reply[n + 1], reply[n + 2], reply[n + 3], reply[n + 4] = key, record, attempt, failures
  reply[n + 5], reply[n + 6], reply[n + 7], reply[n + 8] = crashes, errors, token, deadline
end

-- The tasks of a repeated request that are still held with its tokens, appended to `reply`.
local function retake(context, request, earlier, reply)
  local keys = context.keys
  local index = 0
  for key in string.gmatch(string.sub(earlier, #request + 2), '%S+') do
    local token = request .. '.' .. index
    local state = redis.call('HMGET', keys.state .. key, 'state', 'token', 'attempt', 'failures', 'crashes')
    if state[1] == 'running' and state[2] == token then
      append_task(keys, reply, key, redis.call('GET', keys.task .. key), state[3], state[4] or '0', state[5] or '0',
        token, redis.call('ZSCORE', keys.leases, key))
    end
    index = index + 1
  end
end

-- Starts the task of a lane's entry, or says false where the entry no longer stands for a pending task.
local function start(context, entry, priority, worker, token, lease_ms, deadline, reply)
  local keys, now = context.keys, context.now
  local since = since_of(entry)
  local key = string.sub(entry, #since + 2)
  local record = redis.call('GET', keys.task .. key)
  if not record then
    return false
  end
  local _, created, expires, payload_bytes, _, type = parse_head(record)
  local state_key = keys.state .. key
  local state = redis.call('HMGET', state_key, 'state', 'since', 'attempt', 'failures', 'crashes', 'token')
  if state[1] then
    if state[1] ~= 'pending' or state[2] ~= since then
      return false
    end
  elseif created ~= since then
    return false
  end
  if expires ~= '' and redis.call('ZSCORE', keys.expiry, key) then
    redis.call('ZREM', keys.expiry, key)
    if tonumber(expires) <= now then
      finish(context, key, 'expired', payload_bytes, 0)
      record_move(context, priority, type, 'pending', 'expired', key, state[3] or 0)
      return false
    end
  end
  local attempt = (state[3] or 0) + 1
  redis.call('HSET', state_key, 'state', 'running', 'since', since, 'attempt', attempt, 'token', token,
    'worker', worker, 'started', context.stamp, 'lease', lease_ms)
  if state[6] then
    -- The token that settled last stays known, so that its late repeat is still answered (settle.lua).
    redis.call('HSET', state_key, 'settled', state[6])
  end
  record_move(context, priority, type, 'pending', 'running', key, attempt)
  append_task(keys, reply, key, record, attempt, state[4] or '0', state[5] or '0', token, deadline)
  return key
end

-- Forgets finish tags that the ring has caught up with. At most as many as tenants may have left meanwhile.
local function forget_rested(keys, priority, virtual, limit)
  local rested = redis.call('ZRANGE', keys.resting .. priority, '-inf', string.format('%.17g', virtual), 'BYSCORE', 'LIMIT', 0, limit)
  call_each('ZREM', keys.resting .. priority, rested)
end

-- Step by step, so that the sum is the same however many are served in one turn.
local function advance(virtual, weight, count)
  for _ = 1, count do
    virtual = virtual + 1 / weight
  end
  return virtual
end

-- How many tasks a tenant is served before the next one, if there is one, is no longer ahead of it.
local function turn_length(virtual, weight, next_virtual, most)
  if not next_virtual then
    return most
  end
  local length = 0
  repeat
    virtual = virtual + 1 / weight
    length = length + 1
  until length == most or virtual >= tonumber(next_virtual)
  return length
end

-- Takes up to `max` tasks: the highest priority first; inside it from the tenant that is furthest behind, as
-- many as it takes to be level with the next: the order is that of taking one at a time. Appends more, next due and the tasks to `reply`.
local function take(context, worker, request, max, lease_ms, reply)
  local keys, now = context.keys, context.now
  promote_due(context)
  local earlier = max > 0 and redis.call('GET', keys.asked .. worker)
  local tasks, taken, deadlines = {}, {}, {}
  local deadline = string.format('%.0f', now + lease_ms)
  if earlier and string.sub(earlier, 1, #request + 1) == request .. ' ' then
    retake(context, request, earlier, tasks)
  elseif max > 0 then
    local weighted = redis.call('EXISTS', keys.weights) == 1
    -- Entries of tasks that have moved on cost a look each; a call looks at a bounded number.
    local looks = max * 2 + 200
    for priority = 6, 1, -1 do
      local ring, turns, reached = keys.ring .. priority, 0, nil
      while #taken < max and looks > 0 do
        local low = redis.call('ZRANGE', ring, 0, 1, 'WITHSCORES')
        local tenant = low[1]
        if not tenant then
          break
        end
        local virtual = tonumber(low[2])
        local weight = weighted and tonumber(redis.call('HGET', keys.weights, tenant) or '1') or 1
        local want = turn_length(virtual, weight, low[4], max - #taken)
        local entries = redis.call('LPOP', keys.lane .. priority .. ':' .. tenant, math.min(want, looks)) or {}
        local served = 0
        for _, entry in ipairs(entries) do
          local key = start(context, entry, priority, worker, request .. '.' .. #taken, lease_ms, deadline,
            tasks)
          if key then
            served = served + 1
            taken[#taken + 1] = key
            deadlines[#deadlines + 1] = deadline
            deadlines[#deadlines + 1] = key
          end
        end
        looks = looks - #entries
        turns = turns + 1
        if served > 0 then
          -- The ring is where the task served last started, not where its tenant's turn did: what a tenant takes
          -- while alone must not make it wait once others come.
          reached = advance(virtual, weight, served - 1)
        end
        local finish = advance(virtual, weight, served)
        local head = redis.call('LINDEX', keys.lane .. priority .. ':' .. tenant, 0)
        if head then
          redis.call('ZADD', ring, string.format('%.17g', finish), tenant)
          redis.call('ZADD', keys.oldest .. priority, since_of(head), tenant)
        else
          leave_ring(context, priority, tenant, finish, reached or ring_time_of(keys, priority))
        end
      end
      if reached then
        redis.call('HSET', keys.meta, 'v' .. priority, string.format('%.17g', reached))
        forget_rested(keys, priority, reached, turns + 20)
      end
    end
    call_each('ZADD', keys.leases, deadlines)
    if #taken > 0 then
      redis.call('SET', keys.asked .. worker, request .. ' ' .. table.concat(taken, ' '), 'PX', lease_ms)
    end
  end
  local ring = keys.ring
  local more = redis.call('EXISTS', ring .. 1, ring .. 2, ring .. 3, ring .. 4, ring .. 5, ring .. 6) > 0
  if more then
    context.wake = true
  end
  reply[#reply + 1] = more and 1 or 0
  reply[#reply + 1] = next_due(context)
  for _, value in ipairs(tasks) do
    reply[#reply + 1] = value
  end
end
