--! Opens and closes what lets tasks in and out: pauses and resumes the queue or a tenant, drains the queue.
--! flags allow-oom
--! include clock context record state settings lanes ordering moves
--! arg now
--! arg action           pause, resume or drain
--! arg tenant           '' for the queue
--! reply 1

local context = new_context(keys, read_clock(now))
if tenant ~= '' then
  redis.call(action == 'pause' and 'SADD' or 'SREM', keys.pausedTenants, tenant)
  redis.call('HSET', keys.meta, 'has:pauses', '1')
  context.has_pauses = true
  note_tenant(context, tenant)
  if action == 'resume' then
    unpark(context, tenant)
  end
elseif action == 'pause' then
  redis.call('HSET', keys.meta, 'paused', '1')
elseif action == 'drain' then
  redis.call('HSET', keys.meta, 'draining', '1')
else
  redis.call('HDEL', keys.meta, 'paused', 'draining')
end
if action == 'resume' then
  wake_waiting(context)
else
  redis.call('HSET', keys.meta, 'operated', '1')
end
finish_call(context)
return 1
