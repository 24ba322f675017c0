-- A record up to its payload.
local function read_header(task_key)
  local record = redis.call('GETRANGE', task_key, 0, 16383)
  local header = string.find(record, '\n', 1, true)
  if not header and record ~= '' then
    -- A header with much metadata.
    record = redis.call('GET', task_key)
    header = string.find(record, '\n', 1, true)
  end
  return header and string.sub(record, 1, header)
end

-- Tasks as they are, for readers; '' where there is none. Of each: key, record, what has happened to it (state.lua: a string,
-- or fields and values), lease deadline, result, errors. Without `full` the record stops after its header and the last two are
-- empty. They are read together: the end of a wait is a read of its task, and 30 come at once.
local function read_rows(keys, task_keys, full)
  if #task_keys == 0 then
    return {}
  end
  local names, state_keys = {}, {}
  for i, key in ipairs(task_keys) do
    names[i], state_keys[i] = keys.task .. key, keys.state .. key
  end
  local records = full and redis.call('MGET', unpack(names)) or {}
  for i, name in ipairs(full and {} or names) do
    records[i] = read_header(name)
  end
  local texts = plain_texts(state_keys)
  local rows, completed, results = {}, {}, {}
  for i, key in ipairs(task_keys) do
    local row = ''
    if records[i] then
      local happened, state, erred = texts[i], nil, false
      if happened then
        state = string.match(happened, '^[^\31]*')
      else
        happened = redis.call('HGETALL', state_keys[i])
        for field = 1, #happened, 2 do
          local name = happened[field]
          if name == 'state' then
            state = happened[field + 1]
          elseif name == 'failures' or name == 'crashes' or name == 'retried' then
            erred = true
          end
        end
      end
      row = { key, records[i], happened, '', '', {} }
      if state == 'running' then
        row[4] = redis.call('ZSCORE', keys.leases, key) or ''
      end
      if full and state == 'completed' then
        completed[#completed + 1], results[#results + 1] = row, keys.result .. key
      end
      if full and erred then
        row[6] = redis.call('LRANGE', keys.errors .. key, 0, -1)
      end
    end
    rows[i] = row
  end
  for i, result in ipairs(#results > 0 and redis.call('MGET', unpack(results)) or {}) do
    completed[i][5] = result or ''
  end
  return rows
end
