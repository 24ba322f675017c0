--! Reads tasks.
--! flags no-writes
--! include state rows
--! each key
--! reply for each: its row (rows.lua), or '' where there is no such task

return read_rows(keys, { unpack(ARGV, first_each) }, true)
