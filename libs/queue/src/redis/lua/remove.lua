--! Removes finished tasks.
--! flags allow-oom
--! include clock context record state settings lanes ordering moves removal rows outcome
--! arg now
--! each key
--! reply for each: code, state before, row

local context = new_context(keys, read_clock(now))
local reply, removed = {}, {}
for i = first_each, #ARGV do
  local key = ARGV[i]
  local state = redis.call('EXISTS', keys.task .. key) == 1 and (read_state(keys, key, 'state')[1] or 'pending') or ''
  local code = state == '' and 'task-not-found' or is_open[state] and 'wrong-state' or 'done'
  answer(keys, reply, key, code, state)
  if code == 'done' then
    local bytes = remove_task(context, key, state, removed)
    redis.call('ZREM', keys.finished .. state, key)
    redis.call('HINCRBY', keys.meta, 'bytes:' .. state, -bytes)
  end
end
call_each('ZREM', keys.elders, removed)
finish_call(context)
return reply
