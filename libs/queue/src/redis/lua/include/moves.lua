local is_open = { scheduled = true, pending = true, running = true, retrying = true }

-- Tasks are born in this state that differ in their keys alone.
local function record_births(context, task, task_keys, state)
  count_moves(context, task.priority, '-', state, task.type, #task_keys)
  local changes = changes_of(context, task.tenant)
  changes.open = changes.open + #task_keys
  add_state_lines(context, task, task_keys, state, '0')
end

-- `to` is '-' for a task that is removed.
local function record_move(context, task, from, to, attempt)
  count_moves(context, task.priority, from, to, task.type, 1)
  if to ~= '-' then
    add_state_line(context, task, to, attempt)
  end
  local was_open, stays_open = is_open[from], is_open[to]
  local changes = changes_of(context, task.tenant)
  if was_open and not stays_open then
    changes.open = changes.open - 1
  elseif stays_open and not was_open then
    changes.open = changes.open + 1
  end
  if to == 'running' then
    changes.running = changes.running + 1
    return
  end
  if from == 'running' then
    changes.running = changes.running - 1
    context.freed_running = true
    -- Parked until it is told: this may be what it waits for.
    if context.has_parked and redis.call('ZSCORE', context.keys.parked, task.tenant) == 'inf' then
      unpark(context, task.tenant)
    end
  end
  local scope = was_open and scope_of(context, task) or ''
  if scope ~= '' and redis.call('HGET', context.keys.holders, scope) == task.key then
    if not stays_open then
      context.freed[#context.freed + 1] = scope
    elseif scope == '~' and to == 'pending' then
      unpark(context, scope)
    end
  end
end

-- Ends what a script has done: lanes forget those that left, keys given up go on to the next tasks, capacity that
-- became free is announced.
local function finish_call(context)
  settle_left_lanes(context)
  hand_over_freed(context)
  if context.freed_running and context.settings.concurrency then
    wake_waiting(context)
  end
  write_context(context)
end

-- Puts a task that waited for a time, or failed, among those that wait for a worker: at the tail of its lane, but in
-- FIFO mode at the head where it holds the queue.
local function line_up(context, lanes, task, since)
  if context.settings.mode == 'fifo' and redis.call('HGET', context.keys.holders, '~') == task.key then
    push_head(context, 3, '~', entry_of(context, task, since))
  else
    add_to_lane(context, lanes, task, since)
  end
end
