import type { BrokenEngine } from '../broken-engine.js';
import { advance, lease, settle, submitSome } from '../steps.js';

/** What holds a queue or a tenant back. */
export const BROKEN_PAUSES: readonly BrokenEngine[] = [
  {
    about: 'starts tasks of a paused queue',
    breaks: 'if context.paused then',
    into: 'if false then',
    story: [submitSome(1), { do: 'pause', queue: 0 }, lease()],
  },
  {
    about: 'starts tasks of a paused tenant',
    breaks: 'if tenant_is_paused(context, tenant) then',
    into: 'if false then',
    story: [submitSome(1, { tenant: 'a' }), { do: 'pause', queue: 0, tenant: 'a' }, lease()],
  },
  {
    about: 'does not hold a queue back that is overloaded',
    breaks: 'if context.not_before > now then',
    into: 'if false then',
    story: [
      submitSome(1),
      lease(),
      settle({ lease: 0, action: 'release', retryAfterMs: 5_000 }),
      advance(4_999),
      lease(),
    ],
  },
  {
    about: 'accepts tasks while it is drained',
    breaks: 'if draining then',
    into: 'if false then',
    story: [{ do: 'drain', queue: 0 }, submitSome(1)],
  },
];
