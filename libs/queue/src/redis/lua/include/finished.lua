-- Tasks of an index of finished ones by end and key, after the one of the key `after` that ended at `from` ('' and '' for the
-- first): all of a millisecond, until there are `enough`. Returns keys, their ends, and by end how many members come up to it.
local function read_finished(finished_key, reversed, enough, from, after)
  local found, ends, through = {}, {}, {}
  local together, in_order, ended = {}, true, nil
  local function add_together(rank)
    if not in_order then
      table.sort(together)
    end
    for i = 1, #together do
      local key = together[reversed and #together - i + 1 or i]
      if ended ~= from or reversed and key < after or not reversed and key > after then
        found[#found + 1], ends[#ends + 1] = key, ended
      end
    end
    through[ended], together, in_order = rank, {}, true
  end
  -- Members read at once: few where they name many.
  local rank, size = 0, 4
  if from ~= '' then
    rank = reversed and redis.call('ZCOUNT', finished_key, '(' .. from, '+inf') or redis.call('ZCOUNT', finished_key, '-inf', '(' .. from)
  end
  while true do
    local members = reversed and redis.call('ZRANGE', finished_key, rank, rank + size - 1, 'REV', 'WITHSCORES')
      or redis.call('ZRANGE', finished_key, rank, rank + size - 1, 'WITHSCORES')
    for i = 1, #members, 2 do
      if ended and members[i + 1] ~= ended then
        add_together(rank)
        if #found >= enough then
          return found, ends, through
        end
      end
      ended, rank = members[i + 1], rank + 1
      for key in string.gmatch(members[i], '%S+') do
        local count = #together
        in_order = in_order and (count == 0 or together[count] < key)
        together[count + 1] = key
      end
    end
    if #members < size * 2 then
      if ended then
        add_together(rank)
      end
      return found, ends, through
    end
    size = math.min(size * 2, limits.finishedTogetherMax)
  end
end

-- Takes one out.
local function drop_finished(keys, state, key, ended)
  local finished_key = keys.finished .. state
  for _, member in ipairs(redis.call('ZRANGE', finished_key, ended, ended, 'BYSCORE')) do
    if string.find(' ' .. member .. ' ', ' ' .. key .. ' ', 1, true) then
      local rest = {}
      for each in string.gmatch(member, '%S+') do
        rest[#rest + 1] = each ~= key and each or nil
      end
      redis.call('ZREM', finished_key, member)
      add_finished(finished_key, ended, rest)
      return
    end
  end
end
