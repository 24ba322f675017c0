--! Reads the tasks that a worker has leased.
--! flags no-writes
--! include state rows
--! arg worker
--! arg limit
--! reply for each: its row (rows.lua)

local reply = {}
for _, key in ipairs(redis.call('SRANDMEMBER', keys.leasedBy .. worker, limit)) do
  reply[#reply + 1] = read_row(keys, key)
end
return reply
