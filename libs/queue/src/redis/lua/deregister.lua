--! Forgets a worker.
--! flags allow-oom
--! include clock registry
--! arg now
--! arg id
--! reply 1 where it was registered, else 0

local known = read_worker(keys, read_clock(now), id)
forget_workers(keys, { id })
return known and 1 or 0
