--! Reads the tasks that a worker has leased.
--! flags no-writes
--! include state rows
--! arg worker
--! arg limit
--! reply for each: its row (rows.lua)

return read_rows(keys, redis.call('SRANDMEMBER', keys.leasedBy .. worker, limit), false)
