-- The part of a task's record that nearly all scripts read; format in record.ts.
local function read_task(keys, key, record)
  record = record or redis.call('GETRANGE', keys.task .. key, 0, 399)
  local priority, created, expires, payload_bytes, tenant, type, ordering = string.match(record,
    '^2\31(%d)\31(%d+)\31(%d*)\31%d+\31(%d+)\31([^\31]*)\31([^\31]*)\31([^\31]*)\31')
  if not priority then
    return nil
  end
  return {
    key = key, priority = priority, created = created, expires = expires, payload_bytes = payload_bytes,
    tenant = tenant, type = type, ordering = ordering,
  }
end

-- What the end of a task needs of its record, as a field of its state: to read the record once more took 3 us of each settlement.
-- It is the same text for tasks alike, which is taken apart once. Left out where it would make a hash table of a listpack.
local function brief_of(task)
  local brief = task.priority .. '\31' .. task.payload_bytes .. '\31' .. task.tenant .. '\31' .. task.type .. '\31' .. task.ordering
  return #brief <= 64 and brief or ''
end

-- The task of a brief; its times are known only where the brief was left out. Tasks alike that follow each other share one.
local latest_brief, latest_task
local function ending_task(keys, key, brief)
  if brief == '' then
    return read_task(keys, key)
  end
  if brief ~= latest_brief then
    local priority, payload_bytes, tenant, type, ordering = string.match(brief, '^(%d)\31(%d+)\31([^\31]*)\31([^\31]*)\31(.*)$')
    latest_brief = brief
    latest_task = { priority = priority, payload_bytes = payload_bytes, tenant = tenant, type = type, ordering = ordering }
  end
  latest_task.key = key
  return latest_task
end

-- The task's place in the journal. An entry elsewhere with the same key is that of a task removed before; nil where
-- there is no record.
local function read_position(task_key)
  return tonumber(string.match(redis.call('GETRANGE', task_key, 0, 127), '^2\31%d\31%d+\31%d*\31(%d+)\31'))
end
