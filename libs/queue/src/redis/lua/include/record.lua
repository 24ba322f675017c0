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

-- What a record says of a task beside its key and times, as one text, which is the same for tasks alike and taken apart once.
local function read_brief(brief)
  local priority, payload_bytes, tenant, type, ordering = string.match(brief, '^(%d)\31(%d+)\31([^\31]*)\31([^\31]*)\31(.*)$')
  return { priority = priority, payload_bytes = payload_bytes, tenant = tenant, type = type, ordering = ordering }
end

-- A task that ends, by the brief in its state: to read the record once more took 3 us. Its times are known only where
-- the brief was left out. Tasks alike that follow each other share one.
local latest_brief, latest_task
local function ending_task(keys, key, brief)
  if brief == '' then
    return read_task(keys, key)
  end
  if brief ~= latest_brief then
    latest_brief, latest_task = brief, read_brief(brief)
  end
  latest_task.key = key
  return latest_task
end

-- The task's place in the journal. An entry elsewhere with the same key is that of a task removed before; nil where
-- there is no record.
local function read_position(task_key)
  return tonumber(string.match(redis.call('GETRANGE', task_key, 0, 127), '^2\31%d\31%d+\31%d*\31(%d+)\31'))
end
