--! Reads tasks.
--! flags no-writes
--! include state rows
--! each key
--! reply for each: its row (rows.lua), or '' where there is no such task

local reply = {}
for i = first_each, #ARGV do
  reply[#reply + 1] = read_row(keys, ARGV[i], true) or ''
end
return reply
