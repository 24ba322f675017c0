--! Moves lease deadlines, and records progress and logs of those who still hold theirs.
--! flags allow-oom
--! include clock context run state notes
--! arg now
--! arg lease_ms
--! each key, request of its lease, progress or '', number of log lines, the lines
--! reply for each: code, deadline, 1 where a cancel is requested

local now_ms = read_clock(now)
local deadline = now_ms + lease_ms
-- Only those who follow a single task hear of its reports, and know its type and tenant.
local reply, heard = {}, {}
local i = first_each
while i <= #ARGV do
  local key, asked, progress, lines = ARGV[i], ARGV[i + 1], ARGV[i + 2], tonumber(ARGV[i + 3])
  local state = read_state(keys, key, 'state', 'token', 'run', 'cancel', 'attempt')
  local n = #reply
  if state[1] == 'running' and state[2] == asked then
    redis.call('ZADD', keys.leases, deadline, key)
    local worker, started, was_ms = read_run(state[3])
    if was_ms ~= lease_ms or progress ~= '' or lines > 0 then
      spread_state(keys, key)
    end
    if was_ms ~= lease_ms then
      redis.call('HSET', keys.state .. key, 'run', run_of(worker, started, lease_ms))
    end
    if progress ~= '' then
      redis.call('HSET', keys.state .. key, 'progress', progress)
      heard[#heard + 1] = 'progress ' .. key .. ' ' .. state[5]
    end
    heard[#heard + 1] = add_logs(keys, now_ms, key, state[5], ARGV, i + 4, lines)
    reply[n + 1], reply[n + 2], reply[n + 3] = 'extended', deadline, state[4] and 1 or 0
  else
    local known = state[1] or redis.call('EXISTS', keys.task .. key) == 1
    reply[n + 1], reply[n + 2], reply[n + 3] = known and 'lease-lost' or 'task-not-found', 0, 0
  end
  i = i + 4 + lines
end
write_lines(keys, heard)
return reply
