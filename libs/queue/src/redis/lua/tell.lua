--! Notes what an operator wants of a worker.
--! flags allow-oom
--! include clock registry
--! arg now
--! arg id
--! arg command          '' for nothing any more
--! reply its row (registry.lua), or '' where it is not registered

local now_ms = read_clock(now)
if not read_worker(keys, now_ms, id) then
  return ''
end
if command == '' then
  redis.call('HDEL', keys.workerCommands, id)
else
  redis.call('HSET', keys.workerCommands, id, command)
end
return read_worker(keys, now_ms, id)
