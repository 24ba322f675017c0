-- Redis' clock in ms, read once per script: it is not frozen inside one (7.0.15: it moved 4 ms in one call).
-- Tests own time by passing an override.
local function read_clock(override)
  if override ~= '' then
    return tonumber(override)
  end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
