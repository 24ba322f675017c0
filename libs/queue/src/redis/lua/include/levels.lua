-- Which priority goes next. A level has a ring that is not empty.

local default_bounds, default_weights = limits.maxWaitMsByPriority, limits.weightByPriority

local function by_priority(given, defaults, priority)
  local value = given and given[tostring(priority)]
  if value == nil then
    return defaults[priority]
  end
  return value
end

local function read_nonempty(levels)
  local context = levels.context
  local left = count_rings(context.keys)
  -- The default priority first: mostly it is the only one.
  for _, priority in ipairs({ 3, 4, 2, 5, 1, 6 }) do
    local found = left > 0 and redis.call('EXISTS', context.keys.ring .. priority) or 0
    levels.nonempty[priority], left = found == 1, left - found
  end
  context.rings_changed, levels.overdue = false, {}
end

local function new_levels(context)
  local levels = { context = context, policy = context.settings.priority or { policy = 'strict' }, nonempty = {}, overdue = {} }
  read_nonempty(levels)
  return levels
end

-- After a turn, with whether the level's ring still has somebody. Others may have been entered, or left by a tenant that
-- was parked.
local function level_changed(levels, priority, nonempty)
  levels.nonempty[priority] = nonempty
  levels.overdue[priority] = nil
  if levels.context.rings_changed then
    read_nonempty(levels)
  end
end

-- By how much the head that waits longest in a level has waited beyond its bound; 0 where none has.
local function overdue_of(levels, priority)
  if levels.overdue[priority] then
    return levels.overdue[priority]
  end
  local context = levels.context
  local keys = context.keys
  local overdue = 0
  -- Entries of tasks that have ended are no wait, and a level of nothing else is none: a bounded number is passed over.
  for _ = 1, 10 do
    local oldest = redis.call('ZRANGE', keys.oldest .. priority, 0, 0, 'WITHSCORES')
    if not oldest[1] then
      levels.nonempty[priority] = false
      break
    end
    local head = redis.call('LINDEX', keys.lane .. priority .. ':' .. oldest[1], 0)
    if head and entry_is_current(keys, head) then
      local bound = by_priority(levels.policy.maxWaitMs, default_bounds, priority)
      overdue = bound == cjson.null and 0 or math.max(0, context.now - tonumber(oldest[2]) - bound)
      break
    end
    settle_lane_head(context, priority, oldest[1], 100)
  end
  levels.overdue[priority] = overdue
  return overdue
end

-- Strict: the highest level, but of two starts one by bound where a task has waited beyond its own.
-- Returns the level, how many it may start, and whether that is by bound.
local function next_strict(levels)
  local found = {}
  for priority = 6, 1, -1 do
    if levels.nonempty[priority] then
      found[#found + 1] = priority
    end
  end
  if #found < 2 then
    return found[1], math.huge, false
  end
  local highest, first, most, some_other = nil, nil, 0, false
  for _, priority in ipairs(found) do
    local overdue = overdue_of(levels, priority)
    if levels.nonempty[priority] then
      highest, first = highest or priority, first or priority
      some_other = some_other or priority ~= highest and overdue > 0
      if overdue > most then
        first, most = priority, overdue
      end
    end
  end
  if first ~= highest and not levels.context.by_bound then
    return first, 1, true
  end
  return highest, some_other and 1 or math.huge, false
end

local function note_bound(context, by_bound)
  if context.by_bound ~= by_bound then
    context.by_bound = by_bound
    redis.call('HSET', context.keys.meta, 'bound', by_bound and '1' or '0')
  end
end

-- Weighted: start-time fair queueing among the levels.
local function read_tags(levels)
  if not levels.tags then
    local values = redis.call('HMGET', levels.context.keys.meta, 'l1', 'l2', 'l3', 'l4', 'l5', 'l6', 'lv')
    levels.tags = {}
    for i = 1, 7 do
      levels.tags[i] = tonumber(values[i] or '0')
    end
  end
  return levels.tags
end

local function next_weighted(levels)
  local tags = read_tags(levels)
  local first, lowest, count = nil, nil, 0
  for priority = 6, 1, -1 do
    if levels.nonempty[priority] then
      count = count + 1
      local tag = math.max(tags[priority], tags[7])
      if not first or tag < lowest then
        first, lowest = priority, tag
      end
    end
  end
  return first, count == 1 and math.huge or 1, false
end

local function charge_level(levels, priority, count)
  local tags = read_tags(levels)
  local weight = by_priority(levels.policy.weights, default_weights, priority)
  for _ = 1, count do
    tags[7] = math.max(tags[priority], tags[7])
    tags[priority] = tags[7] + 1 / weight
  end
  redis.call('HSET', levels.context.keys.meta, 'l' .. priority, string.format('%.17g', tags[priority]),
    'lv', string.format('%.17g', tags[7]))
end

local function next_level(levels)
  if levels.policy.policy == 'weighted' then
    return next_weighted(levels)
  end
  return next_strict(levels)
end

local function note_starts(levels, priority, count, by_bound)
  if count == 0 then
    return
  end
  if levels.policy.policy == 'weighted' then
    charge_level(levels, priority, count)
  else
    note_bound(levels.context, by_bound)
  end
end
