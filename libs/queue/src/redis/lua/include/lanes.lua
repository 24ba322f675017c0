-- Entries of lanes: `<pending since>~<key>`, and `~<ordering key>` where the task has one that counts.
local function since_of(entry)
  return string.sub(entry, 1, string.find(entry, '~', 1, true) - 1)
end

local function key_of(entry)
  return string.match(entry, '^%d+~([^~]+)')
end

-- What comes after the key.
local function entry_end_of(context, task)
  return task.ordering ~= '' and context.settings.mode ~= 'fifo' and '~' .. task.ordering or ''
end

local function entry_of(context, task, since)
  return since .. '~' .. task.key .. entry_end_of(context, task)
end

-- The lane in which a task waits that becomes pending now.
local function lane_of(context, task)
  local settings = context.settings
  if settings.mode == 'fifo' then
    return 3, '~'
  end
  if settings.priority and settings.priority.policy == 'off' then
    return 3, task.tenant
  end
  return task.priority, task.tenant
end

-- The moment from which a task is pending again. Later than the last one, also within a millisecond, so that an
-- entry left behind in a lane is not taken for the new one.
local function next_since(now, last)
  return math.max(now, last + 1)
end

-- Whether a lane's entry still stands for its task: the task is pending since that very moment.
local function entry_is_current(keys, entry)
  local since = since_of(entry)
  local key = key_of(entry)
  local state = read_state(keys, key, 'state', 'since')
  if state[1] then
    return state[1] == 'pending' and state[2] == since
  end
  local task = read_task(keys, key)
  return task ~= nil and task.created == since
end

-- The virtual time at which the task served last in a priority started.
local function ring_time_of(context, priority)
  priority = tonumber(priority)
  local known = context.ring_times[priority]
  if not known then
    known = tonumber(redis.call('HGET', context.keys.meta, 'v' .. priority) or '0')
    context.ring_times[priority] = known
  end
  return known
end

local function move_ring_time(context, priority, virtual)
  context.ring_times[priority] = virtual
  context.moved_rings[priority] = true
end

-- Of how many priorities any tenant has something that may start as far as the tenant goes.
local function count_rings(keys)
  local ring = keys.ring
  return redis.call('EXISTS', ring .. '1', ring .. '2', ring .. '3', ring .. '4', ring .. '5', ring .. '6')
end

local function any_ring(keys)
  return count_rings(keys) > 0
end

-- A worker that serves not everybody waits for tokens of its tenants.
local function wake_for(context, tenant)
  context.wake = true
  if context.has_watchers and redis.call('ZSCORE', context.keys.watched, tenant) then
    context.wake_tenants[tenant] = true
  end
end

-- Where somebody may be served as far as tenants go, all who could are told.
local function wake_waiting(context)
  local keys = context.keys
  if not any_ring(keys) then
    return
  end
  context.wake = true
  for priority = 1, context.has_watchers and 6 or 0 do
    for _, tenant in ipairs(redis.call('ZINTER', 2, keys.ring .. priority, keys.watched)) do
      context.wake_tenants[tenant] = true
    end
  end
end

-- Tenants enter the ring of a priority at the ring's virtual time, so that they have saved nothing while idle, or at
-- their own last finish where that is later, so that leaving and coming back gains nothing either (start-time fair
-- queueing; Goyal, Vin, Cheng 1996). `sinces` are those of the heads of their lanes.
local function enter_rings(context, priority, tenants, sinces)
  local keys = context.keys
  local time = ring_time_of(context, priority)
  local stamp = string.format('%.17g', time)
  local ring, oldest, rested = {}, {}, {}
  local finishes = redis.call('ZMSCORE', keys.resting .. priority, unpack(tenants))
  for i, tenant in ipairs(tenants) do
    local n, start = #ring, stamp
    if finishes[i] then
      rested[#rested + 1] = tenant
      start = string.format('%.17g', math.max(time, tonumber(finishes[i])))
    end
    ring[n + 1], ring[n + 2] = start, tenant
    oldest[n + 1], oldest[n + 2] = sinces[i], tenant
    wake_for(context, tenant)
  end
  call_each('ZREM', keys.resting .. priority, rested)
  call_each('ZADD', keys.ring .. priority, ring)
  call_each('ZADD', keys.oldest .. priority, oldest)
  context.rings_changed = true
end

local function enter_ring(context, priority, tenant, since)
  enter_rings(context, priority, { tenant }, { since })
end

-- A tenant ahead of the ring is remembered as such, however it came to leave: what it was served counts also where
-- the rest of its tasks was cancelled or expired.
local function leave_ring(context, priority, tenant, finish)
  local keys = context.keys
  redis.call('ZREM', keys.ring .. priority, tenant)
  redis.call('ZREM', keys.oldest .. priority, tenant)
  if finish > ring_time_of(context, priority) then
    redis.call('ZADD', keys.resting .. priority, string.format('%.17g', finish), tenant)
  end
end

local function is_parked(context, tenant)
  local keys = context.keys
  return context.has_parked and (redis.call('ZSCORE', keys.parked, tenant) or redis.call('ZSCORE', keys.review, tenant))
end

-- Takes a tenant of which nothing may start out of all rings, until a time or, with '+inf', until it is told.
local function park(context, tenant, until_ms)
  local keys = context.keys
  for priority = 1, 6 do
    local finish = redis.call('ZSCORE', keys.ring .. priority, tenant)
    if finish then
      redis.call('ZADD', keys.held, redis.call('ZSCORE', keys.oldest .. priority, tenant), priority .. ':' .. tenant)
      leave_ring(context, priority, tenant, tonumber(finish))
    end
  end
  redis.call('ZADD', keys.parked, until_ms, tenant)
  context.rings_changed = true
  if not context.has_parked then
    context.has_parked = true
    redis.call('HSET', keys.meta, 'has:parked', '1')
  end
end

-- Whether it may start something shows when its turn comes.
local function unpark(context, tenant)
  if not is_parked(context, tenant) then
    return
  end
  local keys = context.keys
  redis.call('ZREM', keys.parked, tenant)
  redis.call('ZREM', keys.review, tenant)
  for priority = 1, 6 do
    local lane = priority .. ':' .. tenant
    local since = redis.call('ZSCORE', keys.held, lane)
    if since then
      redis.call('ZREM', keys.held, lane)
      enter_ring(context, priority, tenant, since)
    end
  end
end

-- Those whose time has come, and those whose settings changed; a bounded number.
local function unpark_due(context)
  local keys = context.keys
  if not context.has_parked then
    return
  end
  for _, tenant in ipairs(redis.call('ZRANGE', keys.parked, '-inf', context.now, 'BYSCORE', 'LIMIT', 0, limits.choreTasksMax)) do
    unpark(context, tenant)
  end
  -- All that are parked are put into review at once, when the review before is through.
  if redis.call('EXISTS', keys.review) == 0 and redis.call('HDEL', keys.meta, 'review') == 1
    and redis.call('EXISTS', keys.parked) == 1 then
    redis.call('RENAME', keys.parked, keys.review)
  end
  for _, tenant in ipairs(redis.call('ZRANGE', keys.review, 0, limits.choreTasksMax - 1)) do
    unpark(context, tenant)
  end
end

-- When the next parked tenant may go again by the clock; nil where none may.
local function next_unparked(context)
  if not context.has_parked then
    return nil
  end
  local head = redis.call('ZRANGE', context.keys.parked, 0, 0, 'WITHSCORES')
  local time = tonumber(head[2])
  return time and time < math.huge and time or nil
end

-- The head of a lane has changed, or has come.
local function note_head(context, priority, tenant, since, came)
  local keys = context.keys
  if is_parked(context, tenant) then
    redis.call('ZADD', keys.held, since, priority .. ':' .. tenant)
  elseif came then
    enter_ring(context, priority, tenant, since)
  else
    redis.call('ZADD', keys.oldest .. priority, since, tenant)
    wake_for(context, tenant)
  end
end

-- One entry, in front of all.
local function push_head(context, priority, tenant, entry)
  local lane = context.keys.lane .. priority .. ':' .. tenant
  note_head(context, priority, tenant, since_of(entry), redis.call('LPUSH', lane, entry) == 1)
end

-- What push_lanes is to push for the lane of a task. Most of a call go to one lane, so the latest is looked at first.
local function entries_for(context, lanes, task)
  local priority, tenant = lane_of(context, task)
  local lane = lanes.latest
  if not lane or lane.tenant ~= tenant or lane.priority ~= priority then
    local name = priority .. ':' .. tenant
    lane = lanes[name]
    if not lane then
      lane = { priority = priority, tenant = tenant, entries = {} }
      lanes[name] = lane
      lanes[#lanes + 1] = lane
    end
    lanes.latest = lane
  end
  return lane.entries
end

local function add_to_lane(context, lanes, task, since)
  local entries = entries_for(context, lanes, task)
  entries[#entries + 1] = entry_of(context, task, since)
end

-- The same for tasks that differ in their keys alone.
local function add_all_to_lane(context, lanes, task, task_keys, since)
  local entries, entry_end = entries_for(context, lanes, task), entry_end_of(context, task)
  local count, start = #entries, since .. '~'
  for i = 1, #task_keys do
    entries[count + i] = start .. task_keys[i] .. entry_end
  end
end

-- Entries of each lane, in order, at its tail.
local function push_lanes(context, lanes)
  local coming = {}
  for _, lane in ipairs(lanes) do
    local priority, tenant, entries = lane.priority, lane.tenant, lane.entries
    local came = redis.call('RPUSH', context.keys.lane .. priority .. ':' .. tenant, unpack(entries)) == #entries
    if came and is_parked(context, tenant) then
      redis.call('ZADD', context.keys.held, since_of(entries[1]), priority .. ':' .. tenant)
    elseif came then
      local those = coming[priority] or { tenants = {}, sinces = {} }
      coming[priority] = those
      those.tenants[#those.tenants + 1] = tenant
      those.sinces[#those.sinces + 1] = since_of(entries[1])
    elseif not is_parked(context, tenant) then
      wake_for(context, tenant)
    end
  end
  for priority, those in pairs(coming) do
    enter_rings(context, priority, those.tenants, those.sinces)
  end
end

-- After the head of a lane has gone: the ring and the age of the oldest speak of the next one. Passes over at
-- most `budget` entries whose tasks have moved on, so that the age is not theirs.
local function settle_lane_head(context, priority, tenant, budget)
  local keys = context.keys
  local lane = keys.lane .. priority .. ':' .. tenant
  local before = redis.call('LINDEX', lane, 0)
  local head = before
  while head and budget > 0 and not entry_is_current(keys, head) do
    redis.call('LPOP', lane)
    head = redis.call('LINDEX', lane, 0)
    budget = budget - 1
  end
  if head == before then
    return
  end
  local held = priority .. ':' .. tenant
  local finish = redis.call('ZSCORE', keys.ring .. priority, tenant)
  if head and finish then
    redis.call('ZADD', keys.oldest .. priority, since_of(head), tenant)
  elseif head then
    redis.call('ZADD', keys.held, since_of(head), held)
  elseif finish then
    leave_ring(context, priority, tenant, tonumber(finish))
    context.rings_changed = true
  else
    redis.call('ZREM', keys.held, held)
  end
end

-- A task has left its lane out of turn. Its entry stays, to be passed over when reached, or at once where it is at the
-- head: that is looked at once per lane, however many have left.
local function leave_lane(context, priority, tenant)
  local name = priority .. ':' .. tenant
  local left = context.left_lanes[name] or { priority = priority, tenant = tenant, count = 0 }
  left.count = left.count + 1
  context.left_lanes[name] = left
end

local function settle_left_lanes(context)
  for _, left in pairs(context.left_lanes) do
    settle_lane_head(context, left.priority, left.tenant, left.count + 100)
  end
  context.left_lanes = {}
end
