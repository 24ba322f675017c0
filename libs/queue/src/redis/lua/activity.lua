--! Reads what workers do in the queue.
--! flags no-writes
--! each worker
--! reply for each: number of tasks it has leased, its totals as outcome, count, and so on

local reply = {}
for i = first_each, #ARGV do
  reply[#reply + 1] = { redis.call('SCARD', keys.leasedBy .. ARGV[i]), redis.call('HGETALL', keys.totals .. ARGV[i]) }
end
return reply
