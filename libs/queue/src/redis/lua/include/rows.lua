-- A task as it is, for readers: key, record, state fields, lease deadline, result, errors. Without `full` the
-- record stops after its header and the last two are empty.
local function read_row(keys, key, full)
  local record = full and redis.call('GET', keys.task .. key) or redis.call('GETRANGE', keys.task .. key, 0, 16383)
  if not record or record == '' then
    return nil
  end
  if not full then
    local header = string.find(record, '\n', 1, true)
    if header then
      record = string.sub(record, 1, header)
    else
      -- A header with much metadata.
      record = redis.call('GET', keys.task .. key)
      record = string.sub(record, 1, string.find(record, '\n', 1, true))
    end
  end
  local fields = read_fields(keys, key)
  local row = { key, record, fields, '', '', {} }
  local state, erred
  for i = 1, #fields, 2 do
    local field = fields[i]
    if field == 'state' then
      state = fields[i + 1]
    elseif field == 'failures' or field == 'crashes' or field == 'retried' then
      erred = true
    end
  end
  if state == 'running' then
    row[4] = redis.call('ZSCORE', keys.leases, key) or ''
  end
  if full and state == 'completed' then
    row[5] = redis.call('GET', keys.result .. key) or ''
  end
  if full and erred then
    row[6] = redis.call('LRANGE', keys.errors .. key, 0, -1)
  end
  return row
end
