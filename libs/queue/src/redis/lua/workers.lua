--! Reads registered workers: those named, or where none is named the next ones by id.
--! flags no-writes
--! include clock registry
--! arg now
--! arg after            the id before, '' for the first
--! arg limit            how many to look at
--! each id
--! reply the id looked at last where there are more, else ''; then for each that is registered: its row (registry.lua)

local now_ms = read_clock(now)
local ids, last = {}, ''
for i = first_each, #ARGV do
  ids[#ids + 1] = ARGV[i]
end
if #ids == 0 then
  ids = redis.call('ZRANGE', keys.workerIds, after == '' and '-' or '(' .. after, '+', 'BYLEX', 'LIMIT', 0, limit + 1)
  if #ids > tonumber(limit) then
    ids[#ids] = nil
    last = ids[#ids]
  end
end
local reply = { last }
for _, id in ipairs(ids) do
  reply[#reply + 1] = read_worker(keys, now_ms, id)
end
return reply
