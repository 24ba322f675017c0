import type { Step } from './step.js';

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
];
