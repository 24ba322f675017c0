--! Removes finished tasks.
--! flags allow-oom
--! include clock context record state settings lanes ordering moves finished removal rows outcome
--! arg now
--! each key
--! reply for each: code, state before, row

local context = new_context(keys, read_clock(now))
local reply, removed = {}, {}
for i = first_each, #ARGV do
  local key = ARGV[i]
  local state, ended = '', nil
  if redis.call('EXISTS', keys.task .. key) == 1 then
    state, ended = unpack(read_state(keys, key, 'state', 'finished'))
    state = state or 'pending'
  end
  local code = state == '' and 'task-not-found' or is_open[state] and 'wrong-state' or 'done'
  answer(keys, reply, key, code, state)
  if code == 'done' then
    local bytes = remove_task(context, key, state, removed)
    drop_finished(keys, state, key, ended)
    redis.call('HINCRBY', keys.meta, 'bytes:' .. state, -bytes)
  end
end
call_each('ZREM', keys.elders, removed)
finish_call(context)
return reply
