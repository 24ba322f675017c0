--! Changes the priority or the time of waiting tasks.
--! flags allow-oom
--! include clock context record state settings lanes ordering moves due rows outcome
--! arg now
--! each key, priority or '', time to run at or ''
--! reply for each: code, state before, row

local context = new_context(keys, read_clock(now))

-- In place: the digit after the format's version. What was submitted stays known, for repeats of the submission.
local function set_priority(task, state, priority)
  redis.call('HSETNX', keys.state .. task.key, 'submitted', task.priority)
  redis.call('SETRANGE', keys.task .. task.key, 2, priority)
  -- That of an earlier start does not hold any more.
  redis.call('HDEL', keys.state .. task.key, 'brief')
  redis.call('HINCRBY', keys.counts, task.priority .. ':' .. state, -1)
  redis.call('HINCRBY', keys.counts, priority .. ':' .. state, 1)
  task.priority = priority
end

local reply, lanes = {}, {}
for i = first_each, #ARGV, 3 do
  local key, priority, run_at = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local state_key = keys.state .. key
  local task = read_task(keys, key)
  local code, state = 'task-not-found', ''
  if task then
    local fields = read_state(keys, key, 'state', 'attempt', 'since')
    local new_priority = priority ~= '' and priority ~= task.priority
    code, state = 'wrong-state', fields[1] or 'pending'
    if state == 'pending' and run_at == '' then
      code = 'done'
      if new_priority then
        local from, tenant = lane_of(context, task)
        local since = fields[3] or task.created
        set_priority(task, state, priority)
        -- Where priorities mean nothing it keeps its place.
        local moves = from ~= lane_of(context, task)
        if moves then
          since = next_since(context.now, since)
        end
        redis.call('HSET', state_key, 'state', 'pending', 'since', since)
        if moves then
          leave_lane(context, from, tenant)
          add_to_lane(context, lanes, task, since)
        end
      end
    elseif state == 'scheduled' or state == 'retrying' then
      code = 'done'
      if new_priority then
        set_priority(task, state, priority)
      end
      if run_at ~= '' and tonumber(run_at) <= context.now then
        redis.call('ZREM', keys.due, key)
        promote_task(context, lanes, task, state, fields[2], fields[3])
      elseif run_at ~= '' then
        redis.call('HSET', state_key, 'due', run_at)
        add_due(context, key, run_at)
      end
    end
  end
  answer(keys, reply, key, code, state)
end
push_lanes(context, lanes)
finish_call(context)
return reply
