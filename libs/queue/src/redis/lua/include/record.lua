-- The part of a task's record that scripts read; format in record.ts. The first kilobyte holds it whole.
-- Returns priority, created, expires, payload bytes, tenant, type, retry; nil where there is no record.
local function parse_head(record)
  return string.match(record, '^1\31(%d)\31(%d+)\31(%d*)\31%d+\31(%d+)\31([^\31]*)\31([^\31]*)\31([^\31]*)')
end

-- The task's place in the journal. An entry elsewhere with the same key is that of a task removed before; nil where
-- there is no record.
local function read_position(task_key)
  return tonumber(string.match(redis.call('GETRANGE', task_key, 0, 127), '^1\31%d\31%d+\31%d*\31(%d+)\31'))
end

local function read_head(task_key)
  return parse_head(redis.call('GETRANGE', task_key, 0, 1023))
end
