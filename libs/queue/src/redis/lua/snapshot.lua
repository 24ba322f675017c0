--! Reads a task together with the place in the queue's events up to which they have become true of it.
--! flags no-writes
--! include state rows
--! each key
--! reply row (rows.lua) or '', id of the latest entry or ''

local latest = redis.call('XREVRANGE', keys.events, '+', '-', 'COUNT', 1)
return { read_rows(keys, { ARGV[first_each] }, true)[1], latest[1] and latest[1][1] or '' }
