-- Forgets finish tags that the rings have caught up with. At most as many as tenants may have left meanwhile.
local function forget_rested(context, limit)
  local keys = context.keys
  for priority in pairs(context.moved_rings) do
    local reached = string.format('%.17g', context.ring_times[priority])
    local rested = redis.call('ZRANGE', keys.resting .. priority, '-inf', reached, 'BYSCORE', 'LIMIT', 0, limit)
    call_each('ZREM', keys.resting .. priority, rested)
  end
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
  if next_virtual == math.huge then
    return most
  end
  local length = 0
  repeat
    virtual = virtual + 1 / weight
    length = length + 1
  until length == most or virtual >= next_virtual
  return length
end

local function weight_of(context, tenant)
  return tenant == '~' and 1 or read_tenant_settings(context, tenant).weight
end

-- Serves those of a level in the order of the ring, each as many as it takes to be level with the next, until one that was
-- served is the next again: then the ring is written and read anew, instead of for every turn, which cost 10 us. Returns
-- how many started, and how many had a turn.
local function serve_round(taking, levels, priority, most)
  local context = taking.context
  local keys, before = context.keys, #taking.taken
  local turns_most = math.min(most, taking.most - before, taking.looks)
  local low = redis.call('ZRANGE', keys.ring .. priority, 0, turns_most, 'WITHSCORES')
  local places, again, turns = new_places(priority), math.huge, 0
  for i = 1, math.min(#low, turns_most * 2), 2 do
    local tenant, virtual = low[i], tonumber(low[i + 1])
    if virtual >= again or #taking.taken == taking.most or taking.looks <= 0 or not meet(taking, tenant) then
      break
    end
    local weight = weight_of(context, tenant)
    local next_virtual = math.min(tonumber(low[i + 3]) or math.huge, again)
    local want = turn_length(virtual, weight, next_virtual, math.min(most, taking.most - #taking.taken))
    -- One start at a time: each is a choice of its own, also where the head turns out to have expired.
    local served, until_ms, emptied = serve(taking, priority, tenant, want, most == 1)
    if served > 0 then
      -- The ring is where the task served last started, not where its tenant's turn did: what a tenant takes
      -- while alone must not make it wait once others come.
      move_ring_time(context, priority, advance(virtual, weight, served - 1))
    end
    local finish = advance(virtual, weight, served)
    if place(context, places, tenant, finish, until_ms, emptied) then
      again = math.min(again, finish)
    end
    turns = turns + 1
    if until_ms or context.rings_changed then
      break
    end
  end
  local stay = write_places(context, places)
  level_changed(levels, priority, stay > 0 or #low > turns * 2)
  return #taking.taken - before, turns
end

-- Serves everybody: the level that is next, and in it the tenant that is furthest behind: the order is that of taking one
-- at a time.
local function take_shared(taking)
  local context = taking.context
  local levels, turns = new_levels(context), 0
  while #taking.taken < taking.most and taking.looks > 0 do
    local priority, most, by_bound = next_level(levels)
    if not priority then
      break
    end
    local served, round = serve_round(taking, levels, priority, most)
    note_starts(levels, priority, served, by_bound)
    turns = turns + round
  end
  forget_rested(context, turns + 20)
  return levels
end

-- Whether anybody may be served as far as tenants go; `levels` where they were just looked through.
local function any_waiting(context, levels)
  if not levels or context.rings_changed then
    return any_ring(context.keys)
  end
  for priority = 1, 6 do
    if levels.nonempty[priority] then
      return true
    end
  end
  return false
end

-- Serves the named tenants by turns, whoever was served so least recently first; a turn has as many tasks as the
-- tenant has weight. It does not count against their shares: such workers are theirs, beside what all share.
local function take_named(taking, names)
  if #names == 0 then
    return
  end
  local context = taking.context
  local keys = context.keys
  for priority = 6, 1, -1 do
    local scores = #taking.taken < taking.most and redis.call('EXISTS', keys.ring .. priority) == 1
      and redis.call('ZMSCORE', keys.ring .. priority, unpack(names)) or {}
    local served_in = #scores > 0 and redis.call('ZMSCORE', keys.served, unpack(names))
    local line, seen = {}, {}
    for i, name in ipairs(names) do
      if scores[i] and not seen[name] then
        seen[name] = true
        line[#line + 1] = { tenant = name, place = i, turn = tonumber(served_in[i] or '0') }
      end
    end
    table.sort(line, function(a, b)
      if a.turn ~= b.turn then
        return a.turn < b.turn
      end
      return a.place < b.place
    end)
    while #line > 0 and #taking.taken < taking.most and taking.looks > 0 do
      local each = table.remove(line, 1)
      local virtual = redis.call('ZSCORE', keys.ring .. priority, each.tenant)
      if virtual and meet(taking, each.tenant) then
        local want = #line == 0 and taking.most or weight_of(context, each.tenant)
        local served, until_ms, emptied = serve(taking, priority, each.tenant, want)
        local places = new_places(priority)
        place(context, places, each.tenant, tonumber(virtual), until_ms, emptied)
        write_places(context, places)
        if served > 0 then
          if redis.call('ZADD', keys.served, redis.call('HINCRBY', keys.meta, 'turns', 1), each.tenant) == 1 then
            redis.call('ZREMRANGEBYRANK', keys.served, 0, -limits.servedTenantsKept - 1)
          end
          line[#line + 1] = each
        end
      end
    end
  end
end

local function words_of(text)
  local words = {}
  for word in string.gmatch(text, '%S+') do
    words[#words + 1] = word
  end
  return words
end

-- One of the tenants that is in a ring; nil where none is.
local function any_in_ring(keys, names)
  for priority = 6, 1, -1 do
    for i, score in ipairs(#names > 0 and redis.call('ZMSCORE', keys.ring .. priority, unpack(names)) or {}) do
      if score then
        return names[i]
      end
    end
  end
end

-- From now on work of these tenants rings their wake lists. False where too many are remembered: then whoever waits for
-- them has to look again by itself.
local function watch(context, own, stolen)
  local keys = context.keys
  -- In FIFO mode all tasks are those of one tenant, as far as wake tokens go.
  local names, entries, missing = { '~' }, {}, {}
  for _, list in ipairs({ own, stolen }) do
    for _, name in ipairs(list) do
      names[#names + 1] = name
    end
  end
  for i, asked in ipairs(redis.call('ZMSCORE', keys.watched, unpack(names))) do
    local entry = asked and entries or missing
    entry[#entry + 1], entry[#entry + 2] = context.stamp, names[i]
  end
  call_each('ZADD', keys.watched, entries)
  if #missing == 0 then
    return true
  end
  redis.call('HSET', keys.meta, 'has:watchers', '1')
  context.has_watchers = true
  local silent = redis.call('ZRANGE', keys.watched, '-inf', context.now - limits.watchedMs, 'BYSCORE', 'LIMIT', 0,
    limits.choreTasksMax)
  for _, tenant in ipairs(silent) do
    redis.call('UNLINK', keys.wakeOf .. tenant)
  end
  call_each('ZREM', keys.watched, silent)
  if redis.call('ZCARD', keys.watched) + #missing / 2 > limits.watchedTenantsMax then
    return false
  end
  redis.call('ZADD', keys.watched, unpack(missing))
  return true
end

-- Redis keeps a small sorted set as a listpack and reads all of it for each member that comes: 3 us while a hundred tasks run. A
-- skiplist takes 0.4, and the set is one, until it is empty or Redis has restarted, once it had a member of over 64 bytes.
local long_member = '~ no key of a task can be this, and no member of a listpack as long'
-- Of so few it is not worth it.
local skiplist_from = 8

-- Takes up to `max` tasks for a worker, for none only what a repeat finds: then the request is used up. `tenants` are served first, then those of `steal`, where `~` is everybody.
-- Appends more, ms until the next may be taken or '', the deadline and the tasks to `reply`.
local function take(context, worker, request, max, lease_ms, tenants, steal, reply)
  local keys, now = context.keys, context.now
  promote_due(context)
  unpark_due(context)
  local own, everybody = words_of(tenants), steal == '~' or context.settings.mode == 'fifo'
  local stolen = steal == '~' and {} or words_of(steal)
  local told = steal == '~' or watch(context, own, stolen)
  local allowed, until_ms = queue_allowance(context)
  local used_up, took = read_asked(keys, worker)
  local again = taken_by(took, request)
  local said = #reply
  -- Three places for what is known at the end.
  reply[said + 1], reply[said + 2], reply[said + 3] = 0, '', ''
  local taking = new_taking(context, worker, request, lease_ms, math.min(max, allowed), max * 2 + 200, reply)
  local taken, levels = taking.taken, nil
  if again then
    retake(context, request, again, reply)
  elseif taking.most > 0 and not is_used_up(used_up, request) then
    if context.settings.mode ~= 'fifo' then
      take_named(taking, own)
      take_named(taking, stolen)
    end
    if everybody then
      levels = take_shared(taking)
    end
    call_each('SADD', keys.leasedBy .. worker, taken)
    charge_queue(context, #taken)
    if #taken > 0 then
      if #taken < skiplist_from then
        redis.call('ZADD', keys.leases, unpack(taking.deadlines))
      else
        redis.call('ZADD', keys.leases, 0, long_member, unpack(taking.deadlines))
        redis.call('ZREM', keys.leases, long_member)
      end
      write_asked(keys, worker, used_up, note_taken(took, request, taken), lease_ms)
      if allowed ~= math.huge then
        allowed, until_ms = queue_allowance(context)
      end
    end
  end
  if max == 0 and request ~= '' and not is_used_up(used_up, request) then
    write_asked(keys, worker, use_up(used_up, request), took, lease_ms)
  end
  if everybody then
    -- What a settlement of this call gave back has been offered here.
    context.freed_running = false
  end
  local waiting, next_ms = any_waiting(context, levels), next_due(context)
  local more, blocked_until = false, waiting and allowed == 0 and until_ms or nil
  local function wait_until(time)
    if time then
      next_ms = next_ms == '' and time - now or math.min(next_ms, time - now)
    end
  end
  wait_until(blocked_until)
  wait_until(not told and now + limits.unwatchedLookMs)
  local unparked = next_unparked(context)
  wait_until(unparked)
  if waiting and allowed > 0 then
    local named = not everybody and (any_in_ring(keys, own) or any_in_ring(keys, stolen))
    more = everybody or named ~= nil
    if everybody then
      context.wake = true
      if context.has_watchers and context.settings.mode == 'fifo' then
        context.wake_tenants['~'] = true
      end
    elseif named then
      context.wake_tenants[named] = true
    end
  end
  if #taken > 0 and not more and (blocked_until or unparked) then
    -- Somebody idle has to know the time: this worker may be busy then.
    context.wake = true
  end
  reply[said + 1], reply[said + 2], reply[said + 3] = more and 1 or 0, next_ms, taking.deadline
end
