--! Reads a page of tasks, looking at a bounded number of them.
--! flags no-writes
--! include record state finished rows
--! arg source           journal, due, leases or finished
--! arg state            '' for any; so for type, tenant and tag
--! arg type
--! arg tenant
--! arg tag
--! arg newest           1 or 0
--! arg limit
--! arg full             1 or 0
--! arg after_score      where the last page stopped, '' for the first: position in the journal, or score
--! arg after_member     '' in the journal
--! reply 1 where there may be more, score and member to go on after, then rows

local reversed = newest == '1'
local limit_max = tonumber(limit)
local filtered = state ~= '' or type ~= '' or tenant ~= '' or tag ~= ''
-- Without a filter all that exist are wanted; some more bridge gaps that removed tasks leave in the journal.
local examine_max = filtered and limits.listExaminedMax or limit_max + 100

-- Pairs of score and key, from where the last page stopped.
local function from_set(set_key)
  local start = 0
  if after_score ~= '' then
    local rank = redis.call(reversed and 'ZREVRANK' or 'ZRANK', set_key, after_member)
    if rank then
      start = rank + 1
    else
      -- It has left the set: go on after where it stood.
      start = reversed and redis.call('ZCOUNT', set_key, '(' .. after_score, '+inf')
        or redis.call('ZCOUNT', set_key, '-inf', '(' .. after_score)
    end
  end
  local values = reversed and redis.call('ZRANGE', set_key, start, start + examine_max - 1, 'REV', 'WITHSCORES')
    or redis.call('ZRANGE', set_key, start, start + examine_max - 1, 'WITHSCORES')
  local pairs_found = {}
  for i = 1, #values, 2 do
    local key, score = values[i], values[i + 1]
    local passed = after_score ~= '' and tonumber(score) == tonumber(after_score)
      and ((reversed and key >= after_member) or (not reversed and key <= after_member))
    if not passed then
      pairs_found[#pairs_found + 1] = { score, key }
    end
  end
  return pairs_found, #values / 2 == examine_max
end

local function from_finished()
  -- All are of the state asked for, so that one more than a page tells whether there is another.
  local most = type == '' and tenant == '' and tag == '' and limit_max + 1 or examine_max
  local task_keys, ends = read_finished(keys.finished .. state, reversed, most, after_score, after_member)
  local pairs_found = {}
  for i = 1, math.min(#task_keys, most) do
    pairs_found[i] = { ends[i], task_keys[i] }
  end
  return pairs_found, #task_keys >= most
end

local function from_journal()
  local first = tonumber(redis.call('HGET', keys.meta, 'journal') or 0)
  local length = redis.call('LLEN', keys.journal)
  local found = {}
  local function add_elders()
    local low, high = '-inf', '(' .. first
    if after_score ~= '' then
      if reversed then
        high = '(' .. math.min(first, tonumber(after_score))
      else
        low = '(' .. after_score
      end
    end
    local left = examine_max - #found
    if left > 0 then
      local elders = reversed and redis.call('ZRANGE', keys.elders, high, low, 'BYSCORE', 'REV', 'LIMIT', 0, left, 'WITHSCORES')
        or redis.call('ZRANGE', keys.elders, low, high, 'BYSCORE', 'LIMIT', 0, left, 'WITHSCORES')
      for i = 1, #elders, 2 do
        found[#found + 1] = { elders[i + 1], elders[i] }
      end
    end
  end
  local function add_journal()
    local left = examine_max - #found
    local from, to
    if reversed then
      to = after_score ~= '' and tonumber(after_score) - first - 1 or length - 1
      from = math.max(0, to - left + 1)
    else
      from = after_score ~= '' and math.max(0, tonumber(after_score) - first + 1) or 0
      to = from + left - 1
    end
    if left <= 0 or to < 0 or from >= length then
      return
    end
    local members = redis.call('LRANGE', keys.journal, from, to)
    for i = 1, #members do
      local at = reversed and #members - i + 1 or i
      found[#found + 1] = { string.format('%d', first + from + at - 1), members[at] }
    end
  end
  if reversed then
    add_journal()
    add_elders()
  else
    add_elders()
    add_journal()
  end
  return found, #found == examine_max
end

local function matches(key, score)
  local head = redis.call('GETRANGE', keys.task .. key, 0, 4095)
  local position, of_tenant, of_type =
    string.match(head, '^2\31%d\31%d+\31%d*\31(%d+)\31%d+\31([^\31]*)\31([^\31]*)')
  -- An entry of the journal with the same key may be that of a task removed before.
  if not position or source == 'journal' and tonumber(position) ~= tonumber(score)
    or tenant ~= '' and of_tenant ~= tenant or type ~= '' and of_type ~= type then
    return false
  end
  if tag ~= '' then
    local tags = string.match(head, '^' .. string.rep('[^\31]*\31', 10) .. '([^\31]*)')
    if not tags or not string.find(' ' .. tags .. ' ', ' ' .. tag .. ' ', 1, true) then
      return false
    end
  end
  return state == '' or (read_state(keys, key, 'state')[1] or 'pending') == state
end

local candidates, more
if source == 'journal' then
  candidates, more = from_journal()
elseif source == 'finished' then
  candidates, more = from_finished()
else
  candidates, more = from_set(source == 'due' and keys.due or keys.leases)
end
local found = {}
local last = { after_score, after_member }
for i, candidate in ipairs(candidates) do
  if #found == limit_max then
    more = true
    break
  end
  last = candidate
  if matches(candidate[2], candidate[1]) then
    found[#found + 1] = candidate[2]
  end
end
return { more and 1 or 0, last[1], last[2], unpack(read_rows(keys, found, full == '1')) }
