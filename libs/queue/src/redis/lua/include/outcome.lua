-- What an operator's script answers about one task: a code, the state before, and what the task is then.
local function answer(keys, reply, key, code, state)
  local n = #reply
  reply[n + 1], reply[n + 2], reply[n + 3] = code, state, code == 'done' and read_rows(keys, { key }, true)[1] or ''
end
