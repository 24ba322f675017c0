--! Ends leases, and takes the next tasks in the same step where `max` says how many.
--! flags allow-oom
--! include clock context run record state settings lanes ordering moves due finish allowance start levels asked take retry notes leases
--! arg now
--! arg worker           of the next lease; the seven from here are those of lease.lua
--! arg request
--! arg max              '' for no next lease
--! arg lease_ms
--! arg tenants
--! arg steal
--! arg items            how many follow
--! each key, request of its lease, how many values follow: 0 of what is complete and has no result and no log lines, of which there may be several keys by spaces, else action (complete, fail, release), result or error, terms, log lines; terms of a failure: retryable (1 or 0) ␟ retry in ms or '' ␟ random ␟ default retry policy, of a release: retry after ms or ''
--! reply now, then of each settlement its state or `- <code>`, with ␟ between; then as lease.lua from `more`

local context = new_context(keys, read_clock(now))
local now_ms = context.now
local outcomes = {}

local function leave(worker, key, state, outcome)
  end_leases(context, worker, { key }, outcome or state)
  outcomes[#outcomes + 1] = state
end

local function cancel(worker, task, attempt)
  finish(context, task, 'cancelled', 0, 'outcome', 'cancelled')
  record_move(context, task, 'running', 'cancelled', attempt)
  leave(worker, task.key, 'cancelled')
end

-- Completed tasks of one worker that differ in their keys alone, and follow each other: they are counted together.
local alike

local function count_completed()
  if alike then
    if alike.text then
      redis.call('MSET', unpack(alike.states))
    end
    note_finished(context, alike.task, alike.keys, 'completed', alike.result_bytes)
    record_moves(context, alike.task, alike.keys, 'running', 'completed', alike.attempt)
    end_leases(context, read_run(alike.run), alike.keys, 'completed')
    alike = nil
  end
end

-- What is settled, in order: the keys of tasks and of their states, requests, and where in ARGV the item is; false where it says no more.
local task_keys, requests, places, state_keys = {}, {}, {}, {}
do
  local i = first_each
  for _ = 1, items do
    for key in string.gmatch(ARGV[i], '%S+') do
      local n = #task_keys + 1
      task_keys[n], requests[n], places[n], state_keys[n] = key, ARGV[i + 1], ARGV[i + 2] ~= '0' and i, keys.state .. key
    end
    i = i + 3 + ARGV[i + 2]
  end
end

-- States that are strings, by key, as this call leaves them.
local texts = {}
for n, text in ipairs(plain_texts(state_keys)) do
  texts[task_keys[n]] = text or nil
end

local function complete(run, task, state_key, attempt, result_bytes)
  local before = texts[task.key]
  if not alike or task ~= alike.task or attempt ~= alike.attempt or run ~= alike.run or before ~= alike.before then
    count_completed()
    alike = { task = task, attempt = attempt, run = run, before = before, keys = {}, states = {}, result_bytes = 0 }
    if before then
      local plain = read_plain(before)
      alike.text = plain_state('completed', plain.token, plain.run, context.stamp, plain.brief)
    end
  end
  local alikes = #alike.keys + 1
  alike.keys[alikes] = task.key
  if before then
    texts[task.key] = alike.text
    alike.states[alikes * 2 - 1], alike.states[alikes * 2] = state_key, alike.text
  else
    redis.call('HSET', state_key, 'state', 'completed', 'finished', context.stamp)
  end
  outcomes[#outcomes + 1] = 'completed'
  alike.result_bytes = alike.result_bytes + result_bytes
end

-- Completes the tasks of the settlements from the nth on that are like the one just completed, where no more is said, as nearly
-- always: without asking of each all that is asked of the first. Returns how many.
local function complete_alike(n)
  local from, asked, before, text, states = n, requests[n - 1], alike.before, alike.text, alike.states
  local alikes, answers = #alike.keys, #outcomes
  while before and places[n] == false and requests[n] == asked and texts[task_keys[n]] == before do
    local key = task_keys[n]
    alikes, answers = alikes + 1, answers + 1
    texts[key], alike.keys[alikes], outcomes[answers] = text, key, 'completed'
    states[alikes * 2 - 1], states[alikes * 2] = state_keys[n], text
    n = n + 1
  end
  return n - from
end

local released, lanes = {}, {}

local function release(worker, task, attempt, terms)
  local state_key = keys.state .. task.key
  local cancelled, since = unpack(redis.call('HMGET', state_key, 'cancel', 'since'))
  attempt = attempt - 1
  redis.call('HSET', state_key, 'attempt', attempt)
  if terms ~= '' then
    context.not_before = math.max(context.not_before, now_ms + terms)
    redis.call('HSET', keys.meta, 'notBefore', string.format('%.0f', context.not_before))
  end
  if cancelled then
    cancel(worker, task, attempt)
  else
    since = since or task.created
    redis.call('HSET', state_key, 'state', 'pending', 'since', since, 'outcome', 'pending')
    released[#released + 1] = { task, since }
    record_move(context, task, 'running', 'pending', attempt)
    leave(worker, task.key, 'pending', 'released')
  end
end

local function fail(worker, task, attempt, terms, detail)
  local state_key = keys.state .. task.key
  local retryable, retry_in, random, default_policy = string.match(terms, '^(%d)\31(%d*)\31([^\31]*)\31(.*)$')
  local known = redis.call('HMGET', state_key, 'failures', 'cancel', 'since')
  local failures, cancelled, since = (known[1] or 0) + 1, known[2], known[3]
  local own_policy = read_retry(keys, task.key)
  local policy = own_policy ~= '' and own_policy or default_policy
  add_error(keys, now_ms, task.key, attempt, worker, detail)
  redis.call('HSET', state_key, 'failures', failures)
  local reason
  if retryable == '0' then
    reason = 'not-retryable'
  elseif failures >= tonumber(string.match(policy, '^%d+')) then
    reason = 'attempts-exhausted'
  end
  if cancelled then
    cancel(worker, task, attempt)
  elseif reason then
    finish(context, task, 'failed', 0, 'outcome', 'failed', 'reason', reason)
    record_move(context, task, 'running', 'failed', attempt)
    leave(worker, task.key, 'failed')
  else
    local wait = retry_in ~= '' and tonumber(retry_in) or retry_delay(policy, failures, tonumber(random))
    if wait > 0 then
      redis.call('HSET', state_key, 'state', 'retrying', 'due', now_ms + wait, 'outcome', 'retrying')
      add_due(context, task.key, now_ms + wait)
      record_move(context, task, 'running', 'retrying', attempt)
      leave(worker, task.key, 'retrying', 'retried')
    else
      local again = next_since(now_ms, since or task.created)
      redis.call('HSET', state_key, 'state', 'pending', 'since', again, 'outcome', 'pending')
      line_up(context, lanes, task, again)
      record_move(context, task, 'running', 'pending', attempt)
      add_minute(context, 'retried', 1)
      leave(worker, task.key, 'pending', 'retried')
    end
  end
end

local n = 1
while task_keys[n] do
  local key, asked, place = task_keys[n], requests[n], places[n]
  local action, body, terms, lines, also = 'complete', '', '', 0, 0
  if place then
    action, body, terms, lines = ARGV[place + 3], ARGV[place + 4], ARGV[place + 5], ARGV[place + 2] - 3
  end
  local state, holding, attempt, run, brief, settled, outcome
  if texts[key] then
    local plain = read_plain(texts[key])
    state, holding, attempt, run, brief = plain.state, plain.token, plain.attempt, plain.run, plain.brief
  else
    state, holding, attempt, run, brief, settled, outcome =
      unpack(redis.call('HMGET', keys.state .. key, 'state', 'token', 'attempt', 'run', 'brief', 'settled', 'outcome'))
  end
  if state ~= 'running' or holding ~= asked then
    -- Only its settlement can have completed it, and nothing moves it on: it says so itself.
    outcome = state == 'completed' and state or outcome
    if state ~= 'running' and holding == asked and outcome or state == 'running' and settled == asked then
      -- A repeat: what it led to the first time.
      outcomes[#outcomes + 1] = outcome
    else
      local known = state or redis.call('EXISTS', keys.task .. key) == 1
      outcomes[#outcomes + 1] = known and '- lease-lost' or '- task-not-found'
    end
  else
    -- What comes back needs its times as well.
    local task = action == 'complete' and ending_task(keys, key, brief or '') or read_task(keys, key)
    if action ~= 'complete' or lines > 0 then
      -- Events are in the order of the settlements.
      count_completed()
      spread_state(keys, key)
      texts[key] = nil
    end
    local logged = lines > 0 and add_logs(keys, now_ms, key, attempt, ARGV, place + 6, lines)
    if logged then
      add_line(context, task, logged)
    end
    if action == 'complete' then
      if body ~= '' then
        redis.call('SET', keys.result .. key, body)
      end
      complete(run, task, state_keys[n], attempt, #body)
      also = not place and complete_alike(n + 1) or 0
    elseif action == 'release' then
      release(read_run(run), task, attempt, terms)
    else
      fail(read_run(run), task, attempt, terms, body)
    end
  end
  n = n + 1 + also
end
count_completed()
push_lanes(context, lanes)
hand_over_freed(context)
-- Released tasks go back to the heads of their lanes together, so that they keep their order.
for n = #released, 1, -1 do
  local task, since = unpack(released[n])
  local priority, tenant = lane_of(context, task)
  push_head(context, priority, tenant, entry_of(context, task, since))
end
-- Before the next lease, which may take the same task again.
write_ended_leases(context)
local reply = { now_ms, table.concat(outcomes, '\31') }
if max ~= '' then
  take(context, worker, request, tonumber(max), lease_ms, tenants, steal, reply)
end
finish_call(context)
return reply
