import type { BrokenEngine } from '../broken-engine.js';
import { advance, complete, lease, settle, submitSome } from '../steps.js';

const KEYED = { orderingKey: 'o' };

/** What operators and retention do to tasks and queues. */
export const BROKEN_OPERATIONS: readonly BrokenEngine[] = [
  {
    about: 'starts tasks again that ended while they waited',
    breaks: 'if not current then',
    into: 'if not task then',
    story: [submitSome(3), { do: 'cancel', tasks: [1] }, lease(3)],
  },
  {
    about: 'forgets that somebody asked a running task to stop',
    breaks: "redis.call('HSET', keys.state .. key, 'cancel', '1')",
    into: '',
    story: [submitSome(1), lease(), { do: 'cancel', tasks: [0] }],
  },
  {
    about: 'remembers the failures of a task that an operator retries',
    breaks: "'finished', 'reason', 'failures', 'crashes'",
    into: "'finished', 'reason', 'crashes'",
    story: [
      submitSome(1),
      lease(),
      settle({ lease: 0, action: 'fail', error: { message: 'It broke.' }, retryable: false }),
      { do: 'retry', tasks: [0] },
    ],
  },
  {
    about: 'keeps a task of changed priority in its old lane as well',
    breaks: 'since = next_since(context.now, since)',
    into: '',
    story: [submitSome(2, { priority: 1 }), { do: 'update', changes: [{ task: 0, priority: 6 }] }],
  },
  {
    about: 'removes tasks that have not ended',
    breaks: "is_open[state] and 'wrong-state' or 'done'",
    // It looks for its end, of which there is none.
    into: "(function() ended = ended or 0 end)() or 'done'",
    story: [submitSome(1), lease(), { do: 'remove', tasks: [0] }],
  },
  {
    about: 'forgets the ends of those that ended with a task that is removed',
    breaks: 'rest[#rest + 1] = each ~= key and each or nil',
    into: '',
    story: [
      submitSome(2),
      lease(2),
      settle({ lease: 0, action: 'complete' }, { lease: 1, action: 'complete' }),
      { do: 'remove', tasks: [0] },
    ],
  },
  {
    about: 'leaves scheduled tasks where all that wait are purged',
    breaks: "local due = state == 'waiting' and left > 0",
    into: 'local due = false',
    story: [submitSome(1, { delayMs: 1_000 }), { do: 'purge', queue: 0, state: 'waiting' }],
  },
  {
    about: 'leaves those that wait for an ordering key where pending tasks are purged',
    breaks: 'purge_aside(string.sub(held, 2))',
    into: "redis.call('ZREM', keys.held, held)",
    story: [submitSome(2, KEYED), lease(2), { do: 'purge', queue: 0, state: 'pending' }],
  },
  {
    about: 'deletes a queue that has tasks',
    breaks: "return 'queue-not-empty'\nend\nend",
    into: 'end\nend',
    script: 'delete',
    story: [submitSome(1), { do: 'deleteQueue', queue: 0 }],
  },
  {
    about: 'removes finished tasks a moment too early',
    breaks: 'now_ms - age_max',
    into: 'now_ms - age_max + 1',
    story: [submitSome(1), lease(), complete(), advance(86_400_000), { do: 'prune', queue: 0 }],
  },
];
