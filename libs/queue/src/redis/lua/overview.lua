--! Reads what a queue counts of itself. Costs the same whatever it holds.
--! flags no-writes
--! include clock
--! arg now
--! reply '' where the queue is unknown; else now, counts, types with their counts, oldest pending since or '', ms until the next due or '', minutes, paused, draining (1 or '')

local now_ms = read_clock(now)
local counts = redis.call('HGETALL', keys.counts)
local gates = redis.call('HMGET', keys.meta, 'paused', 'draining', 'operated')
if #counts == 0 and not gates[3] then
  return ''
end
local states = { 'scheduled', 'pending', 'running', 'retrying', 'completed', 'failed', 'cancelled', 'expired' }
local types = {}
for _, type in ipairs(redis.call('ZRANGE', keys.types, 0, limits.typesShown - 1, 'REV')) do
  local fields = {}
  for i, state in ipairs(states) do
    fields[i] = state .. '|' .. type
  end
  types[#types + 1] = { type, unpack(redis.call('HMGET', keys.typeCounts, unpack(fields))) }
end
local count_of = {}
for i = 1, #counts, 2 do
  count_of[counts[i]] = tonumber(counts[i + 1])
end
local oldest, pending = '', 0
for priority = 1, 6 do
  pending = pending + (count_of[priority .. ':pending'] or 0)
end
-- Where nothing is pending, a lane holds entries of tasks that have ended at most.
for _, heads in ipairs(pending > 0 and { 1, 2, 3, 4, 5, 6, keys.held } or {}) do
  local head = redis.call('ZRANGE', heads == keys.held and heads or keys.oldest .. heads, 0, 0, 'WITHSCORES')
  if head[2] and (oldest == '' or tonumber(head[2]) < oldest) then
    oldest = tonumber(head[2])
  end
end
local due = redis.call('ZRANGE', keys.due, 0, 0, 'WITHSCORES')
local this_minute = math.floor(now_ms / 60000)
local buckets = {}
for minute = this_minute, this_minute - limits.minutesShown + 1, -1 do
  local events = redis.call('HGETALL', keys.minute .. minute)
  if #events > 0 then
    buckets[#buckets + 1] = { minute * 60000, events }
  end
end
return { now_ms, counts, types, oldest, due[2] and tonumber(due[2]) - now_ms or '', buckets, gates[1] or '', gates[2] or '' }
