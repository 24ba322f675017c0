-- What a worker tells about an attempt besides its outcome. Lines come joined by the record separator.
local function add_logs(keys, now, key, attempt, lines, kept)
  if lines == '' then
    return
  end
  for line in string.gmatch(lines, '[^\30]+') do
    redis.call('RPUSH', keys.logs .. key, now .. ' ' .. attempt .. ' ' .. line)
  end
  redis.call('LTRIM', keys.logs .. key, -kept, -1)
end

-- `detail` is the error as JSON, or '' for a lost lease.
local function add_error(keys, now, key, attempt, worker, detail, kept)
  redis.call('RPUSH', keys.errors .. key, now .. ' ' .. attempt .. ' ' .. worker .. ' ' .. detail)
  redis.call('LTRIM', keys.errors .. key, -kept, -1)
end
