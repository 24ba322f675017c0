-- Who runs a task, since when, and how long its lease is at a time: one field of its state, since each costs 0.4 us.
local function run_of(worker, started, lease_ms)
  return worker .. ' ' .. started .. ' ' .. lease_ms
end

local function read_run(run)
  return string.match(run, '^(%S+) (%d+) (%d+)$')
end
