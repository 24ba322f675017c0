import type { BrokenEngine } from '../broken-engine.js';
import { advance, fail, lease, LOSE_LEASES, settle, submitSome } from '../steps.js';

/** What an attempt leads to that was released, failed or crashed. */
export const BROKEN_ATTEMPTS: readonly BrokenEngine[] = [
  {
    about: 'puts released tasks at the tail',
    breaks: 'push_head(context, priority, tenant, entry_of(context, task, since))',
    into: 'local late = {}\nadd_to_lane(context, late, task, since)\npush_lanes(context, late)',
    story: [submitSome(2), lease(), settle({ lease: 0, action: 'release' }), lease()],
  },
  {
    about: 'does not count a lost lease among its worker’s',
    script: 'reap',
    breaks: 'add(ended.outcomes, outcome, count)',
    into: '',
    story: [submitSome(1), lease(), LOSE_LEASES],
  },
  {
    about: 'takes a failed attempt for a failed task',
    breaks: "leave(worker, task.key, 'retrying', 'retried')",
    into: "leave(worker, task.key, 'retrying', 'failed')",
    story: [submitSome(1), lease(), fail(1_000)],
  },
  {
    about: 'counts a released attempt',
    breaks: 'attempt = attempt - 1',
    into: 'attempt = attempt - 0',
    story: [submitSome(1), lease(), settle({ lease: 0, action: 'release' })],
  },
  {
    about: 'puts lost tasks at the tail',
    breaks: 'push_head(context, priority, tenant, each.entry)',
    into: "redis.call('RPUSH', context.keys.lane .. priority .. ':' .. tenant, each.entry)",
    story: [submitSome(2), lease(), LOSE_LEASES, lease()],
  },
  {
    about: 'does not count a lost lease as a crash',
    breaks: 'local crashes = (state[3] or 0) + 1',
    into: 'local crashes = (state[3] or 0)',
    story: [submitSome(1), lease(), LOSE_LEASES],
  },
  {
    about: 'starts a task once more that crashed too often',
    breaks: 'elseif crashes >= 3 then',
    into: 'elseif crashes > 3 then',
    story: [submitSome(1), lease(), LOSE_LEASES, lease(), LOSE_LEASES, lease(), LOSE_LEASES],
  },
  {
    about: 'takes leases after a gap in reaping',
    breaks: 'elseif deadline - lease_ms < gap_at then',
    into: 'elseif false then',
    story: [submitSome(1), lease(), { do: 'reap', queue: 0 }, advance(60_000), { do: 'reap', queue: 0 }],
  },
  {
    about: 'starts a task once more that failed too often',
    breaks: "elseif failures >= tonumber(string.match(policy, '^%d+')) then",
    into: "elseif failures > tonumber(string.match(policy, '^%d+')) then",
    story: [
      submitSome(1, {
        retry: { maxAttempts: 1, backoff: 'fixed', delayMs: 0, maxDelayMs: 0, jitter: 'none' },
      }),
      lease(),
      settle({ lease: 0, action: 'fail', error: { message: 'It broke.' } }),
    ],
  },
];
