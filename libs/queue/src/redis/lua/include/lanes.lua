-- The virtual time at which the task served last in a priority started.
local function ring_time_of(keys, priority)
  return tonumber(redis.call('HGET', keys.meta, 'v' .. priority) or '0')
end

-- A tenant joins the ring of a priority when its lane stops being empty: at the ring's virtual time, so that
-- it has saved nothing while idle, or at its own last finish where that is later, so that leaving and coming
-- back gains nothing either (start-time fair queueing; Goyal, Vin, Cheng 1996).
local function join_ring(context, priority, tenant, since)
  local keys = context.keys
  local start = ring_time_of(keys, priority)
  local finish = redis.call('ZSCORE', keys.resting .. priority, tenant)
  if finish then
    redis.call('ZREM', keys.resting .. priority, tenant)
    start = math.max(start, tonumber(finish))
  end
  redis.call('ZADD', keys.ring .. priority, string.format('%.17g', start), tenant)
  redis.call('ZADD', keys.oldest .. priority, since, tenant)
end

-- Its lane is empty. A tenant ahead of the ring is remembered as such, however it came to leave: what it was
-- served counts also where the rest of its tasks was cancelled or expired.
local function leave_ring(context, priority, tenant, finish, ring_time)
  local keys = context.keys
  redis.call('ZREM', keys.ring .. priority, tenant)
  redis.call('ZREM', keys.oldest .. priority, tenant)
  if finish > ring_time then
    redis.call('ZADD', keys.resting .. priority, string.format('%.17g', finish), tenant)
  end
end

local function since_of(entry)
  return string.sub(entry, 1, string.find(entry, '~', 1, true) - 1)
end

-- The moment from which a task is pending again. Later than the last one, also within a millisecond, so that an
-- entry left behind in a lane is not taken for the new one.
local function next_since(now, last)
  return math.max(now, last + 1)
end

-- Entries of one lane, in order.
local function push_tail(context, priority, tenant, entries)
  local lane = context.keys.lane .. priority .. ':' .. tenant
  if redis.call('RPUSH', lane, unpack(entries)) == #entries then
    join_ring(context, priority, tenant, since_of(entries[1]))
  end
  context.wake = true
end

-- One entry, in front of all.
local function push_head(context, priority, tenant, entry)
  local lane = context.keys.lane .. priority .. ':' .. tenant
  if redis.call('LPUSH', lane, entry) == 1 then
    join_ring(context, priority, tenant, since_of(entry))
  else
    redis.call('ZADD', context.keys.oldest .. priority, since_of(entry), tenant)
  end
  context.wake = true
end

-- Adds to a queue of entries per lane, to be pushed with push_lanes.
local function add_to_lane(lanes, priority, tenant, entry)
  local name = priority .. ':' .. tenant
  local lane = lanes[name]
  if not lane then
    lane = { priority = priority, tenant = tenant, entries = {} }
    lanes[name] = lane
    lanes[#lanes + 1] = lane
  end
  lane.entries[#lane.entries + 1] = entry
end

local function push_lanes(context, lanes)
  for _, lane in ipairs(lanes) do
    push_tail(context, lane.priority, lane.tenant, lane.entries)
  end
end

-- Whether a lane's entry still stands for its task: the task is pending since that very moment.
local function entry_is_current(keys, entry)
  local since = since_of(entry)
  local key = string.sub(entry, #since + 2)
  local state = redis.call('HMGET', keys.state .. key, 'state', 'since')
  if state[1] then
    return state[1] == 'pending' and state[2] == since
  end
  local _, created = read_head(keys.task .. key)
  return created == since
end

-- After the head of a lane has gone: the ring and the age of the oldest speak of the next one. Passes over at
-- most `budget` entries whose tasks have moved on, so that the age is not theirs.
local function settle_lane_head(context, priority, tenant, budget)
  local keys = context.keys
  local lane = keys.lane .. priority .. ':' .. tenant
  local head = redis.call('LINDEX', lane, 0)
  while head and budget > 0 and not entry_is_current(keys, head) do
    redis.call('LPOP', lane)
    head = redis.call('LINDEX', lane, 0)
    budget = budget - 1
  end
  if head then
    redis.call('ZADD', keys.oldest .. priority, since_of(head), tenant)
  else
    local finish = tonumber(redis.call('ZSCORE', keys.ring .. priority, tenant) or '0')
    leave_ring(context, priority, tenant, finish, ring_time_of(keys, priority))
  end
end
