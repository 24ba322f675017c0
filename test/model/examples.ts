import type { Step } from './step.js';
import { advance, complete, configure, configureTenant, lease, submit, submitSome } from './steps.js';

/** Stories in which the two once disagreed, shrunk, and who was wrong. */
export const EXAMPLES: readonly { about: string; story: Step[] }[] = [
  {
    about: 'a tenant that was ahead stays so when the rest of its tasks is cancelled',
    story: [
      { do: 'enqueue', tasks: ['k0', 'k1'].map((key) => ({ key, tenant: 'B' })) },
      { do: 'lease', request: { queue: 0, worker: 0, max: 1, leaseMs: 10_000 } },
      { do: 'cancel', tasks: [0] },
      {
        do: 'enqueue',
        tasks: [
          { key: 'k2', tenant: 'B' },
          { key: 'k3', tenant: 'a' },
        ],
      },
      { do: 'lease', request: { queue: 0, worker: 1, max: 2, leaseMs: 10_000 } },
    ],
  },
  {
    about: 'nothing is pending behind the last task that was',
    story: [
      { do: 'enqueue', tasks: [{ key: 'k0' }, { key: 'k1' }] },
      { do: 'cancel', tasks: [0] },
      { do: 'lease', request: { queue: 0, worker: 0, max: 1, leaseMs: 10_000 } },
    ],
  },
  {
    // No promise of the ports: both count a task that joins a lane twice within a millisecond as a later one.
    about: 'tasks lost together come back in the order in which they became pending, each time later',
    story: [
      { do: 'enqueue', tasks: [{ key: 'k0' }] },
      { do: 'lease', request: { queue: 0, worker: 0, max: 1, leaseMs: 1_000 } },
      {
        do: 'settle',
        settlements: [{ lease: 0, action: 'fail', error: { message: 'It broke.' }, retryInMs: 0 }],
      },
      { do: 'enqueue', tasks: [{ key: 'k5' }] },
      { do: 'lease', request: { queue: 0, worker: 0, max: 2, leaseMs: 1_000 } },
      { do: 'loseLeases', queue: 0 },
      { do: 'lease', request: { queue: 0, worker: 0, max: 2, leaseMs: 1_000 } },
    ],
  },
  {
    // Redis took a level for one to be served whose last task had just started.
    about: 'a start is by bound only where a higher level has something',
    story: [
      submit({ key: 'k0', priority: 1 }, { key: 'k1' }, { key: 'k2' }),
      advance(86_400_000),
      submit({ key: 'k3', priority: 6 }, { key: 'k4' }),
      lease(8),
    ],
  },
  {
    // Redis took a level for one to be served that had nothing but what a cancelled task had left.
    about: 'a start is by bound only where a higher level has something that has not ended',
    story: [
      submit({ key: 'k0', priority: 1 }, { key: 'k1', priority: 1 }, { key: 'k2' }, { key: 'k3' }),
      advance(86_400_000),
      { do: 'cancel', tasks: [0] },
      lease(2),
      submit({ key: 'k4', priority: 6 }),
      lease(),
    ],
  },
  {
    about: 'so also where it was cancelled soon',
    story: [
      submitSome(3, { priority: 1 }),
      advance(86_400_000),
      submit({ key: 'k3' }, { key: 'k4' }),
      { do: 'cancel', tasks: [0] },
      lease(3),
      submit({ key: 'k5', priority: 6 }),
      lease(),
    ],
  },
  {
    // Redis let it step aside, still pending.
    about: 'a task that waits for an ordering key expires when it is reached',
    story: [
      submit({ key: 'k0', orderingKey: 'o' }, { key: 'k1', orderingKey: 'o', ttlMs: 1 }),
      lease(),
      advance(1),
      lease(),
    ],
  },
  {
    // Redis put it at the tail.
    about: 'a task of changed priority keeps its place where priorities mean nothing',
    story: [
      configure({ priority: { policy: 'off' } }),
      submitSome(2),
      { do: 'update', changes: [{ task: 1, priority: 6 }] },
      lease(),
    ],
  },
  {
    // Redis took settings that say nothing for none.
    about: 'a queue is known once an operator has said anything about it',
    story: [configureTenant('a', {})],
  },
  {
    // Redis remembered it until somebody was parked, and let that one go.
    about: 'a change of settings concerns those who are parked at that time',
    story: [configure({ mode: 'fifo' }), submitSome(2), lease(), { do: 'leaseAgain', queue: 0, worker: 0 }],
  },
  {
    // Redis knew them only where the queue was in fair mode.
    about: 'workers hear of the tenants that they named while the queue was in FIFO mode',
    story: [
      configure({ mode: 'fifo' }),
      lease(1, { steal: ['a'] }),
      configure({}),
      submitSome(1, { tenant: 'a' }),
      { do: 'waitForWork', queue: 0, tenants: ['a'] },
    ],
  },
  {
    // Redis told those only who could serve everybody.
    about: 'room that a task leaves which was settled by a tenant’s own worker is for others too',
    story: [
      configure({ concurrency: 1 }),
      submitSome(1, { tenant: 'a' }),
      submit({ key: 'p0', tenant: 'c' }),
      lease(1, { tenants: ['a'], steal: false }),
      lease(1, { worker: 1, tenants: ['c'], steal: false }),
      {
        do: 'settle',
        settlements: [{ lease: 0, action: 'complete' }],
        next: { queue: 0, worker: 0, max: 1, leaseMs: 10_000, tenants: ['a'], steal: false },
      },
      { do: 'waitForWork', queue: 0, tenants: ['c'] },
    ],
  },
  {
    // Redis read the entries of a lane together, and started both.
    about: 'a task is started once though its key was removed and used again within a millisecond',
    story: [
      submit({ key: 'p0' }, { key: 'k0' }),
      { do: 'cancel', tasks: [0] },
      { do: 'remove', tasks: [0] },
      submit({ key: 'k0' }),
      lease(8),
    ],
  },
  {
    about: 'a task expires once though its key was removed and used again within a millisecond',
    story: [
      submit({ key: 'p0' }, { key: 'k0', ttlMs: 1 }),
      { do: 'cancel', tasks: [0] },
      { do: 'remove', tasks: [0] },
      submit({ key: 'k0', ttlMs: 1 }),
      advance(1),
      lease(8),
    ],
  },
  {
    about: 'a lane that a task was put in by other settings forgets it as well',
    story: [
      configure({ priority: { policy: 'off' }, concurrency: 1 }),
      submit({ key: 'k0', priority: 1 }),
      configure({}),
      { do: 'cancel', tasks: [0] },
      { do: 'purge', queue: 0, state: 'cancelled' },
    ],
  },
  {
    // The auditor was wrong: it did not look into lanes of tenants that have no task any more.
    about:
      'a parked tenant keeps the entry of an ended task until it is reached, also when no task of it is left',
    story: [
      configure({ tenants: { rate: { limit: 1, perMs: 1_000 } } }),
      submit({ key: 'k0', tenant: 'B' }, { key: 'k1', tenant: 'B' }),
      { do: 'cancel', tasks: [0] },
      lease(1),
      complete(),
      { do: 'purge', queue: 0, state: 'cancelled' },
      { do: 'purge', queue: 0, state: 'completed' },
    ],
  },
];
