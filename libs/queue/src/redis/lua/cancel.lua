--! Ends waiting tasks; asks running ones to stop.
--! flags allow-oom
--! include clock context record state settings lanes ordering moves finish rows outcome
--! arg now
--! each key
--! reply for each: code, state before, row

local context = new_context(keys, read_clock(now))
local reply = {}
for i = first_each, #ARGV do
  local key = ARGV[i]
  local task = read_task(keys, key)
  local code, state = 'task-not-found', ''
  if task then
    local fields = read_state(keys, key, 'state', 'attempt')
    code, state = 'done', fields[1] or 'pending'
    if state == 'running' then
      spread_state(keys, key)
      redis.call('HSET', keys.state .. key, 'cancel', '1')
    elseif is_open[state] then
      end_waiting(context, task, state, 'cancelled', fields[2])
    elseif state ~= 'cancelled' then
      code = 'wrong-state'
    end
  end
  answer(keys, reply, key, code, state)
end
finish_call(context)
return reply
