import type { BrokenEngine } from '../broken-engine.js';
import type { Step } from '../step.js';
import { advance, complete, lease, LOSE_LEASES, settle, submit, submitSome } from '../steps.js';

const ZOMBIE: Step[] = [submitSome(1), lease(), LOSE_LEASES, lease(1, { worker: 1 })];
const LATE: Step[] = [
  { do: 'giveUp', request: { queue: 0, worker: 0, max: 1, leaseMs: 10_000 } },
  { do: 'leaseLate', queue: 0, worker: 0 },
];

/** Who holds a task, and what the right to settle it is worth. */
export const BROKEN_LEASES: readonly BrokenEngine[] = [
  {
    about: 'lets somebody settle whose lease is lost',
    breaks: "if state ~= 'running' or holding ~= asked then",
    into: "if state ~= 'running' then",
    story: [...ZOMBIE, complete(1)],
  },
  {
    about: 'lets somebody extend whose lease is lost',
    breaks: "if state[1] == 'running' and state[2] == asked then\nredis.call('ZADD'",
    into: "if state[1] == 'running' then\nredis.call('ZADD'",
    story: [...ZOMBIE, { do: 'extend', leases: [1], leaseMs: 10_000 }],
  },
  {
    about: 'does not fence off the holder of a lost lease',
    breaks: "redis.call('HDEL', state_key, 'token')",
    into: "redis.call('HSET', state_key, 'outcome', 'pending')",
    story: [...ZOMBIE, complete(1)],
  },
  {
    about: 'does not know a repeated settlement',
    breaks:
      "if state ~= 'running' and holding == asked and outcome or state == 'running' and settled == asked then",
    into: 'if false then',
    story: [submitSome(1), lease(), complete(), { do: 'repeat' }],
  },
  {
    about: 'completes twice what one call settles twice',
    breaks: 'requests[n] == asked and texts[task_keys[n]] == before do',
    into: 'requests[n] == asked do',
    story: [
      submitSome(1),
      lease(),
      settle({ lease: 0, action: 'complete' }, { lease: 0, action: 'complete' }),
    ],
  },
  {
    about: 'gives a repeated lease request other tasks',
    breaks: 'if again then',
    into: 'if false then',
    story: [submitSome(2), { do: 'loseReply' }, lease()],
  },
  {
    about: 'forgets with the next lease what the one before took',
    breaks: "table.concat(taken, ' ') .. kept",
    into: "table.concat(taken, ' ')",
    story: [submitSome(3), lease(), lease(), { do: 'leaseAgain', queue: 0, worker: 0, before: true }],
  },
  {
    about: 'gives tasks to a request that was used up before it arrived',
    breaks: 'elseif taking.most > 0 and not is_used_up(used_up, request) then',
    into: 'elseif taking.most > 0 then',
    story: [submitSome(1), ...LATE],
  },
  {
    about: 'forgets with the next lease which request was used up',
    breaks: 'write_asked(keys, worker, used_up, note_taken',
    into: "write_asked(keys, worker, '', note_taken",
    story: [submitSome(2), LATE[0]!, lease(), LATE[1]!],
  },
  {
    about: 'forgets what a lease took when a request is used up',
    breaks: 'write_asked(keys, worker, use_up(used_up, request), took, lease_ms)',
    into: "write_asked(keys, worker, use_up(used_up, request), '', lease_ms)",
    story: [
      submitSome(2),
      lease(0),
      lease(),
      { do: 'leaseAgain', queue: 0, worker: 0, max: 0 },
      { do: 'leaseAgain', queue: 0, worker: 0 },
    ],
  },
  {
    about: 'takes a task that is started for one like the one before',
    breaks: 'or string.sub(record, at, at + #task.said - 1) ~= task.said then',
    into: 'then',
    story: [submit({ key: 'k0', type: 'one' }, { key: 'k1', type: 'two' }), lease(2)],
  },
  {
    about: 'takes a task that is settled for one like the one before',
    breaks: 'if brief ~= latest_brief then',
    into: 'if not latest_brief then',
    story: [
      submit({ key: 'k0', type: 'one' }, { key: 'k1', type: 'two' }),
      lease(2),
      settle({ lease: 0, action: 'complete' }, { lease: 1, action: 'complete' }),
    ],
  },
  {
    about: 'counts a completed task among those of the worker before',
    breaks: 'or run ~= alike.run or before ~= alike.before then',
    into: 'then',
    story: [
      submitSome(2),
      lease(1, { worker: 0 }),
      lease(1, { worker: 1 }),
      settle({ lease: 0, action: 'complete' }, { lease: 1, action: 'complete' }),
    ],
  },
  {
    about: 'takes a task to have waited as long as the one before',
    breaks: 'or taking.class ~= alike.class',
    into: '',
    story: [submit({ key: 'k0' }), advance(10_000), submit({ key: 'k1' }), lease(2)],
  },
  {
    about: 'takes a removed task for what it was when it started',
    breaks: "redis.call('HDEL', keys.state .. task.key, 'brief')",
    into: '',
    story: [
      submitSome(1),
      lease(),
      settle({ lease: 0, action: 'fail', error: { message: 'It broke.' }, retryable: false }),
      { do: 'retry', tasks: [0] },
      { do: 'update', changes: [{ task: 0, priority: 5 }] },
      { do: 'cancel', tasks: [0] },
      { do: 'remove', tasks: [0] },
    ],
  },
  {
    about: 'takes the lease of a completed task for that of the one before',
    breaks: 'or before ~= alike.before then',
    into: 'then',
    story: [
      submitSome(2),
      lease(),
      lease(),
      settle({ lease: 0, action: 'complete' }, { lease: 1, action: 'complete' }),
      { do: 'repeat' },
    ],
  },
  {
    about: 'does not note who has leased a task',
    breaks: "call_each('SADD', keys.leasedBy .. worker, taken)",
    into: '',
    story: [submitSome(1), lease()],
  },
  {
    about: 'takes a task of a worker for leased when it is no more',
    breaks: "call_each('SREM', keys.leasedBy .. worker, ended.keys)",
    into: '',
    story: [submitSome(1), lease(), complete()],
  },
];
