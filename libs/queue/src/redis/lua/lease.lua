--! Takes waiting tasks for a worker.
--! flags allow-oom
--! include clock context run record state settings lanes ordering moves due finish allowance start levels asked take
--! arg now
--! arg worker
--! arg request          '' where nothing is to be taken and none is used up
--! arg max
--! arg lease_ms
--! arg tenants          served first, by spaces
--! arg steal            served then, by spaces; ~ for everybody
--! reply now, more (1 or 0), ms until the next may be taken or '', deadline, then for each task: key, of attempts after the first with `<deadline> <attempt> <failures> <crashes>` and its errors, ␞ between; record

local context = new_context(keys, read_clock(now))
local reply = { context.now }
take(context, worker, request, tonumber(max), lease_ms, tenants, steal, reply)
finish_call(context)
return reply
