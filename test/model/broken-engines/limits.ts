import type { BrokenEngine } from '../broken-engine.js';
import { advance, complete, configure, configureTenant, lease, submitSome } from '../steps.js';

const RATE = { limit: 1, perMs: 1_000 };

/** How many may run, start and wait. */
export const BROKEN_LIMITS: readonly BrokenEngine[] = [
  {
    about: 'starts one task more than the queue may run',
    breaks: "allowed = settings.concurrency - redis.call('ZCARD', context.keys.leases)",
    into: "allowed = settings.concurrency + 1 - redis.call('ZCARD', context.keys.leases)",
    story: [configure({ concurrency: 1 }), submitSome(2), lease(), lease()],
  },
  {
    about: 'starts one task more than a tenant may run',
    breaks: 'allowed = settings.concurrency - changes.known_running - changes.running',
    into: 'allowed = settings.concurrency + 1 - changes.known_running - changes.running',
    story: [configure({ tenants: { concurrency: 1 } }), submitSome(2), lease(2)],
  },
  {
    about: 'never counts down what a tenant runs',
    breaks: 'changes.running = changes.running - count',
    into: '',
    story: [submitSome(1), lease(), complete()],
  },
  {
    about: 'starts one task more than a rate allows',
    breaks: 'math.floor((burst * interval - ahead) / interval + 1e-9)',
    into: 'math.floor((burst * interval - ahead) / interval + 1)',
    story: [configure({ rate: RATE }), submitSome(2), lease(2)],
  },
  {
    about: 'ignores the burst of a rate',
    breaks: 'rate.burst or math.max(',
    into: 'math.max(',
    story: [configure({ rate: { ...RATE, burst: 2 } }), submitSome(2), lease(2)],
  },
  {
    about: 'does not charge the rate of the queue',
    breaks: 'if rate and count > 0 then',
    into: 'if false then',
    story: [configure({ rate: RATE }), submitSome(2), lease(), lease()],
  },
  {
    about: 'does not charge the rate of a tenant',
    breaks: 'changes.tat = charge_rate(rate, changes.tat or changes.known_tat, context.now, count)',
    into: '',
    story: [configure({ tenants: { rate: RATE } }), submitSome(2), lease(), lease()],
  },
  {
    about: 'never lets a parked tenant go when its time has come',
    breaks: "redis.call('ZRANGE', keys.parked, '-inf', context.now, 'BYSCORE'",
    into: "redis.call('ZRANGE', keys.parked, '-inf', 0, 'BYSCORE'",
    story: [configure({ tenants: { rate: RATE } }), submitSome(2), lease(), advance(1_000), lease()],
  },
  {
    about: 'never lets a parked tenant go when a task of it has ended',
    breaks: "if context.has_parked and redis.call('ZSCORE', context.keys.parked, task.tenant) == 'inf' then",
    into: 'if false then',
    story: [configure({ tenants: { concurrency: 1 } }), submitSome(2), lease(), complete(), lease()],
  },
  {
    about: 'forgets the parked when settings change',
    breaks: "redis.call('RENAME', keys.parked, keys.review)",
    into: '',
    story: [
      configure({ tenants: { concurrency: 1 } }),
      submitSome(2),
      lease(),
      configure({ tenants: { concurrency: 2 } }),
      lease(),
    ],
  },
  {
    about: 'accepts one task more than may wait',
    breaks: 'if settings.backlog and backlog >= settings.backlog or',
    into: 'if settings.backlog and backlog > settings.backlog or',
    story: [configure({ backlog: 2 }), submitSome(3)],
  },
  {
    about: 'accepts one task more of a tenant than may wait',
    breaks: 'or most and backlogs[tenant] >= most then',
    into: 'or most and backlogs[tenant] > most then',
    story: [configureTenant('a', { backlog: 1 }), submitSome(2, { tenant: 'a' })],
  },
];
