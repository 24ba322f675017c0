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
];
