local is_open = { scheduled = true, pending = true, running = true, retrying = true }

-- Moves of tasks that differ in their keys alone. `from` is '-' where they are stored, `to` where they are removed.
local function record_moves(context, task, task_keys, from, to, attempt)
  local count = #task_keys
  count_moves(context, task.priority, from, to, task.type, count)
  if to ~= '-' then
    add_state_lines(context, task, task_keys, to, attempt)
  end
  local was_open, stays_open = is_open[from], is_open[to]
  local changes = changes_of(context, task.tenant)
  if was_open and not stays_open then
    changes.open = changes.open - count
  elseif stays_open and not was_open then
    changes.open = changes.open + count
  end
  if to == 'running' then
    changes.running = changes.running + count
    return
  end
  if from == 'running' then
    changes.running = changes.running - count
    context.freed_running = true
    -- Parked until it is told: this may be what it waits for.
    if context.has_parked and redis.call('ZSCORE', context.keys.parked, task.tenant) == 'inf' then
      unpark(context, task.tenant)
    end
  end
  local scope = was_open and scope_of(context, task) or ''
  local holder = scope ~= '' and redis.call('HGET', context.keys.holders, scope)
  for i = 1, holder and count or 0 do
    if task_keys[i] == holder then
      if not stays_open then
        context.freed[#context.freed + 1] = scope
      elseif scope == '~' and to == 'pending' then
        unpark(context, scope)
      end
    end
  end
end

local function record_move(context, task, from, to, attempt)
  record_moves(context, task, { task.key }, from, to, attempt)
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
