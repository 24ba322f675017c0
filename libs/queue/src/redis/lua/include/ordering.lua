-- An ordering key belongs to one task at a time, its holder, from its start to its end. A task reached in its lane
-- while another one holds its key steps aside into the list of the key; the first of the list becomes holder, and goes
-- back to the head of its lane, when the key is given up. So every entry is passed by once, however many wait for one key.

-- Where the key counts: inside its tenant; in FIFO mode the whole queue has one. '' for a task without.
local function scope_of(context, task)
  if context.settings.mode == 'fifo' then
    return '~'
  end
  return task.ordering ~= '' and task.tenant .. '~' .. task.ordering or ''
end

-- The head of a key's list has changed.
local function note_aside(context, scope)
  local keys = context.keys
  local head = redis.call('LINDEX', keys.aside .. scope, 0)
  local tenant, ordering = string.match(scope, '^([^~]+)~(.*)$')
  if head then
    redis.call('ZADD', keys.held, since_of(string.sub(head, 3)), '~' .. scope)
    redis.call('SADD', keys.asides .. tenant, ordering)
  else
    redis.call('ZREM', keys.held, '~' .. scope)
    redis.call('SREM', keys.asides .. tenant, ordering)
  end
end

local function step_aside(context, scope, priority, entry)
  if redis.call('RPUSH', context.keys.aside .. scope, priority .. ':' .. entry) == 1 then
    note_aside(context, scope)
  end
end

local function hand_over(context, scope)
  local keys = context.keys
  if scope == '~' then
    redis.call('HDEL', keys.holders, scope)
    unpark(context, '~')
    return
  end
  for look = 1, 101 do
    local waiting = redis.call('LPOP', keys.aside .. scope)
    if not waiting then
      break
    end
    local entry = string.sub(waiting, 3)
    -- The last one is not looked at: should it have ended meanwhile, `take` hands over from it.
    if look == 101 or entry_is_current(keys, entry) then
      redis.call('HSET', keys.holders, scope, key_of(entry))
      push_head(context, string.sub(waiting, 1, 1), string.match(scope, '^[^~]+'), entry)
      note_aside(context, scope)
      return
    end
  end
  redis.call('HDEL', keys.holders, scope)
  note_aside(context, scope)
end

-- Gives up the keys of the tasks that ended in this call so far.
local function hand_over_freed(context)
  while #context.freed > 0 do
    hand_over(context, table.remove(context.freed, 1))
  end
end
