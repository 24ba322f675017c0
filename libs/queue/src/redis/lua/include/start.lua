-- One leased task, appended to `reply` as lease.lua describes it.
local function append_task(reply, key, record, history)
  local n = #reply
  reply[n + 1], reply[n + 2] = history == '' and key or key .. '\30' .. history, record
end

-- Not said of first attempts, which most are, and which have the deadline of their call.
local function history_of(keys, key, deadline, attempt, failures, crashes)
  local errors = attempt == '1' and {} or redis.call('LRANGE', keys.errors .. key, 0, -1)
  table.insert(errors, 1, deadline .. ' ' .. attempt .. ' ' .. failures .. ' ' .. crashes)
  return table.concat(errors, '\30')
end

-- The tasks that a repeated request took and that are still held by it, appended to `reply`.
local function retake(context, request, taken, reply)
  local keys = context.keys
  for key in string.gmatch(taken, '%S+') do
    local state = read_state(keys, key, 'state', 'token', 'attempt', 'failures', 'crashes')
    if state[1] == 'running' and state[2] == request then
      append_task(reply, key, redis.call('GET', keys.task .. key), history_of(keys, key,
        redis.call('ZSCORE', keys.leases, key), state[3], state[4] or '0', state[5] or '0'))
    end
  end
end

local wait_bounds = limits.waitBoundsMs

-- Tasks started together have waited about as long: the class of the one before is looked at first.
local function wait_class(class, wait)
  while wait_bounds[class] and wait > wait_bounds[class] do
    class = class + 1
  end
  while class > 1 and wait <= wait_bounds[class - 1] do
    class = class - 1
  end
  return class
end

-- What one lease takes: to whom, how much at most, and what it has so far.
local function new_taking(context, worker, request, lease_ms, most, looks, reply)
  return {
    context = context, request = request, most = most, looks = looks, run = run_of(worker, context.stamp, lease_ms),
    deadline = string.format('%.0f', context.now + lease_ms), reply = reply, taken = {}, deadlines = {}, done = {},
    met = {}, unmet = limits.leaseServesTenantsMax, since = '', class = 1,
  }
end

-- Tasks that were started one after the other, have waited about as long and differ in their keys alone are counted
-- together.
local function count_started(taking)
  local context, alike = taking.context, taking.alike
  if alike then
    if alike.text then
      redis.call('MSET', unpack(alike.states))
    end
    record_moves(context, alike.task, alike.keys, 'pending', 'running', alike.attempt)
    local changes, count = changes_of(context, alike.task.tenant), #alike.keys
    add(changes.waits, alike.class, count)
    changes.started = changes.started + count
    taking.alike = nil
  end
end

-- Whether it may be this tenant's turn; if not, the lease ends, having met as many as it may.
local function meet(taking, tenant)
  if taking.met[tenant] then
    return true
  end
  if taking.unmet == 0 then
    taking.looks = 0
    return false
  end
  taking.met[tenant], taking.unmet = true, taking.unmet - 1
  return true
end

-- What the entries of a lane stand for, read together: a command for each would cost 0.5 us more. No states where none of
-- the tasks has one, as nearly always.
local function read_entries(keys, entries)
  local sinces, names, task_keys, state_keys = {}, {}, {}, {}
  for i, entry in ipairs(entries) do
    local since, key = string.match(entry, '^(%d+)~([^~]+)')
    sinces[i], names[i], task_keys[i], state_keys[i] = since, key, keys.task .. key, keys.state .. key
  end
  local read = { sinces = sinces, names = names, state_keys = state_keys, records = redis.call('MGET', unpack(task_keys)) }
  if redis.call('EXISTS', unpack(state_keys)) > 0 then
    read.states = {}
    for i, key in ipairs(names) do
      read.states[i] = read_state(keys, key, 'state', 'since', 'attempt', 'failures', 'crashes', 'token')
    end
  end
  return read
end

local no_state = {}

-- The task of a record. Tasks that follow each other mostly differ in key and times alone: they share one, which saves
-- 3 us of each. nil where there is no record.
local function starting_task(taking, key, record)
  local priority, created, expires, at = string.match(record or '', '^2\31(%d)\31(%d+)\31(%d*)\31%d+\31()')
  if not priority then
    return nil
  end
  local task = taking.latest
  if not task or task.priority ~= priority or string.sub(record, at, at + #task.said - 1) ~= task.said then
    local said = string.match(record, '^%d+\31[^\31]*\31[^\31]*\31[^\31]*\31', at)
    local brief = priority .. '\31' .. string.sub(said, 1, -2)
    task = read_brief(brief)
    task.said, task.brief = said, brief
    taking.latest = task
  end
  task.key, task.created, task.expires = key, created, expires
  return task
end

-- Starts the task of the nth of a lane's entries; not where the entry no longer stands for a pending task, or its ordering
-- key is held: then it steps aside.
local function start(taking, priority, entry, read, n)
  local since, key, state_key, record = read.sinces[n], read.names[n], read.state_keys[n], read.records[n]
  local state = read.states and read.states[n] or no_state
  local context = taking.context
  local keys, now = context.keys, context.now
  local task = starting_task(taking, key, record)
  local scope = task and scope_of(context, task) or ''
  local holder = scope ~= '' and redis.call('HGET', keys.holders, scope)
  -- A key that was removed and used again within a millisecond has two entries that are alike; both were read before.
  local current = task and not taking.done[key] and (state[1] and state[1] == 'pending' and state[2] == since or not state[1] and task.created == since)
  if not current then
    if holder == key and not is_open[state[1]] then
      -- Handed the key without a look (ordering.lua), when it had ended already.
      context.freed[#context.freed + 1] = scope
    end
    return
  end
  local held = holder and holder ~= key and scope ~= '~'
  if task.expires ~= '' then
    local overdue = tonumber(task.expires) <= now
    if (overdue or not held) and redis.call('ZREM', keys.expiry, key) == 1 and overdue then
      taking.done[key] = true
      count_started(taking)
      finish(context, task, 'expired', 0)
      record_move(context, task, 'pending', 'expired', state[3] or 0)
      return
    end
  end
  if held then
    step_aside(context, scope, priority, entry)
    return
  end
  if scope ~= '' and not holder then
    redis.call('HSET', keys.holders, scope, key)
  end
  local taken, deadlines = taking.taken, taking.deadlines
  local count = #taken
  -- As text: a number would be formatted anew by each of its three uses.
  local attempt = state[3] and string.format('%d', state[3] + 1) or '1'
  local is_plain = not state[1]
  if not is_plain then
    redis.call('HSET', state_key, 'state', 'running', 'attempt', attempt, 'token', taking.request, 'run', taking.run, 'brief',
      short_brief(task.brief))
  end
  if state[6] then
    -- The token that settled last stays known, so that its late repeat is still answered (settle.lua).
    redis.call('HSET', state_key, 'settled', state[6])
  end
  if since ~= taking.since then
    taking.since, taking.class = since, wait_class(taking.class, now - since)
  end
  local alike = taking.alike
  if not alike or task ~= alike.task or attempt ~= alike.attempt or taking.class ~= alike.class
    or is_plain ~= (alike.text ~= nil) then
    count_started(taking)
    alike = { task = task, attempt = attempt, class = taking.class, keys = {}, states = {} }
    alike.text = is_plain and plain_state('running', taking.request, taking.run, '', task.brief) or nil
    taking.alike = alike
  end
  local alikes = #alike.keys + 1
  alike.keys[alikes] = key
  if is_plain then
    alike.states[alikes * 2 - 1], alike.states[alikes * 2] = state_key, alike.text
  end
  append_task(taking.reply, key, record, attempt == '1' and ''
    or history_of(keys, key, taking.deadline, attempt, state[4] or '0', state[5] or '0'))
  taken[count + 1], taking.done[key] = key, true
  deadlines[count * 2 + 1], deadlines[count * 2 + 2] = taking.deadline, key
end

-- Starts the tasks of a lane's entries from the nth on that are like the one before, have no state, keep to no order and
-- never expire, as nearly all: without asking of each all that `start` asks. Returns how many.
local function start_alike(taking, read, n)
  local alike, taken, names = taking.alike, taking.taken, read.names
  local task, from = alike and alike.task, n
  if read.states or not task or taken[#taken] ~= names[n - 1] or task.expires ~= '' or scope_of(taking.context, task) ~= '' then
    return 0
  end
  task.literally = task.literally or string.gsub(task.said, '%W', '%%%0')
  local done, deadlines, reply, states, text = taking.done, taking.deadlines, taking.reply, alike.states, alike.text
  local alikes, count, said = #alike.keys, #taken, #reply
  local since, pattern
  while names[n] do
    local key, record = names[n], read.records[n]
    if read.sinces[n] ~= since then
      since = read.sinces[n]
      if wait_class(alike.class, taking.context.now - since) ~= alike.class then
        break
      end
      -- Since then, and not with a record that tells another time of acceptance.
      pattern = '^2\31' .. task.priority .. '\31' .. since .. '\31\31%d+\31' .. task.literally
    end
    if not record or done[key] or not string.find(record, pattern) then
      break
    end
    alikes, count = alikes + 1, count + 1
    done[key], taken[count], alike.keys[alikes] = true, key, key
    states[alikes * 2 - 1], states[alikes * 2] = read.state_keys[n], text
    deadlines[count * 2 - 1], deadlines[count * 2] = taking.deadline, key
    reply[said + 1], reply[said + 2] = key, record
    said, n = said + 2, n + 1
  end
  return n - from
end

-- Starts the tasks of entries taken from the head of a lane; false where the lane has changed meanwhile.
local function start_each(taking, priority, lane, entries)
  local context = taking.context
  local read = read_entries(context.keys, entries)
  local i = 1
  while i <= #entries do
    taking.looks = taking.looks - 1
    start(taking, priority, entries[i], read, i)
    if #context.freed > 0 then
      -- The next task of an ordering key comes before those that were popped along with this one.
      for rest = #entries, i + 1, -1 do
        redis.call('LPUSH', lane, entries[rest])
      end
      count_started(taking)
      hand_over_freed(context)
      return false
    end
    local also = start_alike(taking, read, i + 1)
    taking.looks, i = taking.looks - also, i + 1 + also
  end
  return true
end

-- Starts up to `want` tasks of a lane, as many as its tenant may, or with `once` only looks at that many entries. Returns
-- how many, where nothing more of the tenant may start now until when, and whether nothing is left in the lane.
local function serve(taking, priority, tenant, want, once)
  local context = taking.context
  local lane = context.keys.lane .. priority .. ':' .. tenant
  local allowed, until_ms
  if tenant == '~' then
    allowed, until_ms = fifo_allowance(context)
  else
    allowed, until_ms = tenant_allowance(context, tenant)
  end
  want = math.min(want, allowed, taking.most - #taking.taken)
  local before, emptied = #taking.taken, false
  while #taking.taken - before < want and taking.looks > 0 and not emptied do
    local most = math.min(want - (#taking.taken - before), taking.looks)
    local entries = redis.call('LPOP', lane, most)
    emptied = not entries or start_each(taking, priority, lane, entries) and #entries < most
    if once then
      break
    end
  end
  count_started(taking)
  local served = #taking.taken - before
  if served == 0 then
    return 0, until_ms, emptied
  end
  charge_tenant(context, tenant, served)
  if tenant == '~' then
    return served, '+inf', emptied
  end
  allowed, until_ms = tenant_allowance(context, tenant)
  return served, allowed == 0 and until_ms or nil, emptied
end

-- Where tenants of a level stand after their turns, until it is written.
local function new_places(priority)
  return { priority = priority, ring = {}, oldest = {}, gone = {}, parked = {} }
end

-- In the ring with this finish, parked, or gone. Whether it is in the ring.
local function place(context, places, tenant, finish, until_ms, emptied)
  local head = not emptied and redis.call('LINDEX', context.keys.lane .. places.priority .. ':' .. tenant, 0)
  if not head then
    places.gone[#places.gone + 1] = { tenant = tenant, finish = finish }
    return false
  end
  local n = #places.ring
  places.ring[n + 1], places.ring[n + 2] = string.format('%.17g', finish), tenant
  places.oldest[n + 1], places.oldest[n + 2] = since_of(head), tenant
  if until_ms then
    places.parked[#places.parked + 1] = { tenant = tenant, until_ms = until_ms }
  end
  return not until_ms
end

-- Returns how many stay in the ring.
local function write_places(context, places)
  local keys, priority = context.keys, places.priority
  call_each('ZADD', keys.ring .. priority, places.ring)
  call_each('ZADD', keys.oldest .. priority, places.oldest)
  for _, each in ipairs(places.gone) do
    leave_ring(context, priority, each.tenant, each.finish)
  end
  for _, each in ipairs(places.parked) do
    park(context, each.tenant, each.until_ms)
  end
  return #places.ring / 2 - #places.parked
end
