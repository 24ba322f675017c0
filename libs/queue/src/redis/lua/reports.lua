--! Reads what workers have reported, for those who follow their tasks: the events only say that there is something.
--! flags no-writes
--! include state
--! each key, number of the last log line and how many, or '' twice for the progress
--! reply for each: the progress or '', or the lines that are still kept

local reply = {}
for i = first_each, #ARGV, 3 do
  local key, last, count = ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  if last then
    -- Older lines have been cut off: those that are kept end with number `logged`.
    local before = (read_state(keys, key, 'logged')[1] or 0) - redis.call('LLEN', keys.logs .. key)
    local from, to = math.max(0, last - count - before), last - before - 1
    reply[#reply + 1] = to >= 0 and redis.call('LRANGE', keys.logs .. key, from, to) or {}
  else
    reply[#reply + 1] = read_state(keys, key, 'progress')[1] or ''
  end
end
return reply
