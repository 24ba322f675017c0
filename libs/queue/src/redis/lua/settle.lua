--! Ends leases, and takes the next tasks in the same step where `max` says how many.
--! flags allow-oom
--! include clock context record lanes due finish retry notes take
--! arg now
--! arg worker           of the next lease; the five below are those of lease.lua
--! arg request
--! arg max              '' for no next lease
--! arg lease_ms
--! arg settlements      how many follow
--! each key, token, action (complete, fail, release), result or error, retryable (1 or 0), retry in ms or '', random, default retry policy, number of log lines, the lines
--! reply now, then for each settlement: code, state; then as lease.lua from `more`

local context = new_context(keys, read_clock(now))
local now_ms = context.now
local reply = { now_ms }

local function leave(key, state)
  context.unleased[#context.unleased + 1] = key
  reply[#reply + 1] = 'settled'
  reply[#reply + 1] = state
end

local function cancel(key, priority, type, payload_bytes, attempt)
  finish(context, key, 'cancelled', payload_bytes, 0, 'outcome', 'cancelled')
  record_move(context, priority, type, 'running', 'cancelled', key, attempt)
  leave(key, 'cancelled')
end

-- Released tasks go back to the heads of their lanes together, so that they keep their order.
local released = {}

local i = first_each
for _ = 1, settlements do
  local key, token, action, body, lines = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], tonumber(ARGV[i + 8])
  local state_key = keys.state .. key
  local state = redis.call('HMGET', state_key,
    'state', 'token', 'settled', 'outcome', 'attempt', 'failures', 'cancel', 'worker', 'since')
  if state[1] ~= 'running' and state[2] == token and state[4] or state[1] == 'running' and state[3] == token then
    -- A repeat: what it led to the first time.
    reply[#reply + 1] = 'settled'
    reply[#reply + 1] = state[4]
  elseif state[1] ~= 'running' or state[2] ~= token then
    local known = state[1] or redis.call('EXISTS', keys.task .. key) == 1
    reply[#reply + 1] = known and 'lease-lost' or 'task-not-found'
    reply[#reply + 1] = ''
  else
    local priority, _, _, payload_bytes, tenant, type, policy = read_head(keys.task .. key)
    local attempt = state[5]
    add_logs(keys, now_ms, key, attempt, ARGV, i + 9, lines)
    if action == 'complete' then
      if body ~= '' then
        redis.call('SET', keys.result .. key, body)
      end
      finish(context, key, 'completed', payload_bytes, #body, 'outcome', 'completed')
      record_move(context, priority, type, 'running', 'completed', key, attempt)
      leave(key, 'completed')
    elseif action == 'release' then
      attempt = attempt - 1
      redis.call('HSET', state_key, 'attempt', attempt)
      if state[7] then
        cancel(key, priority, type, payload_bytes, attempt)
      else
        redis.call('HSET', state_key, 'state', 'pending', 'outcome', 'pending')
        released[#released + 1] = { priority, tenant, state[9] .. '~' .. key }
        record_move(context, priority, type, 'running', 'pending', key, attempt)
        leave(key, 'pending')
      end
    else
      local retryable, retry_in, random, default_policy = ARGV[i + 4], ARGV[i + 5], tonumber(ARGV[i + 6]), ARGV[i + 7]
      local failures = (state[6] or 0) + 1
      if policy == '' then
        policy = default_policy
      end
      add_error(keys, now_ms, key, attempt, state[8], body)
      redis.call('HSET', state_key, 'failures', failures)
      local reason
      if retryable == '0' then
        reason = 'not-retryable'
      elseif failures >= tonumber(string.match(policy, '^%d+')) then
        reason = 'attempts-exhausted'
      end
      if state[7] then
        cancel(key, priority, type, payload_bytes, attempt)
      elseif reason then
        finish(context, key, 'failed', payload_bytes, 0, 'outcome', 'failed', 'reason', reason)
        record_move(context, priority, type, 'running', 'failed', key, attempt)
        leave(key, 'failed')
      else
        local wait = retry_in ~= '' and tonumber(retry_in) or retry_delay(policy, failures, random)
        if wait > 0 then
          redis.call('HSET', state_key, 'state', 'retrying', 'due', now_ms + wait, 'outcome', 'retrying')
          add_due(context, key, now_ms + wait)
          record_move(context, priority, type, 'running', 'retrying', key, attempt)
          leave(key, 'retrying')
        else
          local since = next_since(now_ms, state[9])
          redis.call('HSET', state_key, 'state', 'pending', 'since', since, 'outcome', 'pending')
          push_tail(context, priority, tenant, { since .. '~' .. key })
          record_move(context, priority, type, 'running', 'pending', key, attempt)
          add_minute(context, 'retried', 1)
          leave(key, 'pending')
        end
      end
    end
  end
  i = i + 9 + lines
end
for n = #released, 1, -1 do
  push_head(context, unpack(released[n]))
end
-- Before the next lease, which may take the same task again.
call_each('ZREM', keys.leases, context.unleased)
context.unleased = {}
if max ~= '' then
  take(context, worker, request, tonumber(max), lease_ms, reply)
end
write_context(context)
return reply
