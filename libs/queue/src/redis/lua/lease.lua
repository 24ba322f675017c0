--! Takes waiting tasks for a worker.
--! flags allow-oom
--! include clock context record lanes due finish take
--! arg now
--! arg worker
--! arg request          tokens are `<request>.<index>`
--! arg max
--! arg lease_ms
--! reply now, more (1 or 0), ms until the next due task or '', then for each task: key, record, attempt, failures, crashes, errors, token, deadline

local context = new_context(keys, read_clock(now))
local reply = { context.now }
take(context, worker, request, tonumber(max), lease_ms, reply)
write_context(context)
return reply
