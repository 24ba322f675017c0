import type { BrokenEngine } from '../broken-engine.js';
import { lease, submitSome } from '../steps.js';

/** Who is told of work. */
export const BROKEN_WAKES: readonly BrokenEngine[] = [
  {
    about: 'wakes nobody',
    breaks: 'if context.wake then',
    into: 'if false then',
    story: [submitSome(1), { do: 'waitForWork', queue: 0 }],
  },
  {
    about: 'does not wake the own workers of a tenant',
    breaks: "if context.has_watchers and redis.call('ZSCORE', context.keys.watched, tenant) then",
    into: 'if false then',
    story: [
      lease(1, { tenants: ['a'], steal: false }),
      submitSome(1, { tenant: 'a' }),
      { do: 'waitForWork', queue: 0, tenants: ['a'] },
    ],
  },
];
