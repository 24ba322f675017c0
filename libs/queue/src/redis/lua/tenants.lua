--! Reads tenants with what they have: those named, or a page of those that have tasks, settings or a pause.
--! flags no-writes
--! include clock
--! arg now
--! arg limit
--! arg after_score      where the last page stopped, '' for the first
--! arg after_member
--! each tenant
--! reply now, 1 where there are more, then for each: tenant, settings or '', 1 where paused, pending since or '', fields

local now_ms = read_clock(now)
local names, more = {}, 0

local function read_page()
  local start, most = 0, tonumber(limit)
  if after_score ~= '' then
    local rank = redis.call('ZREVRANK', keys.tenants, after_member)
    local score = rank and redis.call('ZSCORE', keys.tenants, after_member)
    -- It has moved: go on after where it stood.
    start = score == after_score and rank + 1 or redis.call('ZCOUNT', keys.tenants, '(' .. after_score, '+inf')
  end
  names = redis.call('ZRANGE', keys.tenants, start, start + most, 'REV')
  if #names > most then
    table.remove(names)
    more = 1
  end
end

if #ARGV >= first_each then
  for i = first_each, #ARGV do
    names[#names + 1] = ARGV[i]
  end
else
  read_page()
end

local reply = { now_ms, more }
for _, tenant in ipairs(names) do
  local since = ''
  for priority = 1, 6 do
    local head = redis.call('ZSCORE', keys.oldest .. priority, tenant) or redis.call('ZSCORE', keys.held, priority .. ':' .. tenant)
    if head and (since == '' or tonumber(head) < tonumber(since)) then
      since = head
    end
  end
  local n = #reply
  reply[n + 1], reply[n + 2] = tenant, redis.call('HGET', keys.tenantSettings, tenant) or ''
  reply[n + 3], reply[n + 4] = redis.call('SISMEMBER', keys.pausedTenants, tenant), since
  reply[n + 5] = redis.call('HGETALL', keys.tenant .. tenant)
end
return reply
