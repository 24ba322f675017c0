import type { BrokenEngine } from '../broken-engine.js';
import { advance, lease, submit, submitSome } from '../steps.js';

/** What is accepted, and when it may start. */
export const BROKEN_SUBMISSIONS: readonly BrokenEngine[] = [
  {
    about: 'starts tasks that have expired',
    breaks: 'local overdue = tonumber(task.expires) <= now',
    into: 'local overdue = false',
    story: [submitSome(1, { ttlMs: 1_000 }), advance(1_000), lease()],
  },
  {
    about: 'starts tasks that have expired along with others',
    breaks: "since .. '\\31\\31%d+",
    into: "since .. '\\31%d*\\31%d+",
    story: [submit({ key: 'k0' }, { key: 'k1', ttlMs: 1_000 }), advance(1_000), lease(2)],
  },
  {
    about: 'starts in place of a removed task another of its key along with others',
    breaks: "'\\31' .. since .. '\\31\\31%d+",
    into: "'\\31%d+\\31\\31%d+",
    story: [
      submit({ key: 'p0' }, { key: 'k0' }),
      { do: 'cancel', tasks: [0] },
      { do: 'remove', tasks: [0] },
      advance(10),
      submit({ key: 'p1' }),
      submit({ key: 'k0' }),
      lease(2),
    ],
  },
  {
    about: 'starts tasks before they are due',
    breaks: `if next_due_at(context) > context.now then
return 0
end
local keys = context.keys
local due = redis.call('ZRANGE', keys.due, '-inf', context.now, 'BYSCORE'`,
    into: `local keys = context.keys
local due = redis.call('ZRANGE', keys.due, '-inf', context.now + 1, 'BYSCORE'`,
    story: [submitSome(1, { delayMs: 1_000 }), advance(999), lease()],
  },
  {
    about: 'ignores idempotency keys',
    breaks:
      "local use = idempotency ~= '' and (used[idempotency] or redis.call('GET', keys.idempotency .. idempotency))",
    into: 'local use = false',
    story: ['k0', 'k1'].map((key) => submit({ key, idempotency: { key: 'i', fingerprint: 'p' } })),
  },
  {
    about: 'takes another task with a known id for a repeat',
    breaks: "return known == priority .. body and 'replayed' or 'id-conflict', key, record or ''",
    into: "return 'replayed', key, record or ''",
    story: [submitSome(1, { type: 'one' }), submitSome(1, { type: 'two' })],
  },
  {
    about: 'stores a part of an atomic batch',
    breaks: 'if refused then',
    into: 'if false then',
    story: [
      submitSome(1, { type: 'one' }),
      { do: 'enqueue', tasks: [{ key: 'k1' }, { key: 'k0', type: 'two' }], atomic: true },
    ],
  },
  {
    about: 'does not keep its counts',
    breaks: "redis.call('HINCRBY', keys.counts, field, count)",
    into: '',
    story: [submitSome(1)],
  },
];
