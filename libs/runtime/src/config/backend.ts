import { list, oneOf, string } from './kinds.js';
import type { RedisSettings } from './redis.js';
import { defineSettings, type SettingsOf } from './settings-table.js';

/** What the queues are on. */
export const backendSettings = defineSettings(
  'Backend',
  {
    backend: oneOf(['redis', 'bullmq', 'memory'], {
      env: 'FAIRLANE_BACKEND',
      description:
        'What the queues are on. `redis`: our own engine. `bullmq`: BullMQ, in the Redis named below. `memory`: an API that is alone, without Redis, and forgets everything when it ends; it cannot have workers but over HTTP.',
      default: 'redis',
    }),
    bullmqQueues: list(
      {
        pattern: /[A-Za-z0-9._-]{1,64}\*?/,
        expected: 'a comma-separated list of queue names, or beginnings of names followed by *',
      },
      {
        env: 'FAIRLANE_BULLMQ_QUEUES',
        description:
          'Queues that are on BullMQ while the others are on `FAIRLANE_BACKEND`: names, or beginnings of names followed by `*`. With `FAIRLANE_BACKEND=bullmq`, names of queues to list before they are used.',
        default: [],
      },
    ),
    bullmqPrefix: string(
      { pattern: /[^\s{}]{1,64}/, expected: '1 to 64 characters without spaces and braces' },
      {
        env: 'FAIRLANE_BULLMQ_PREFIX',
        description: 'The `prefix` of the queues on BullMQ, as its producers and workers have it.',
        default: 'bull',
      },
    ),
  },
  ({ backend, bullmqQueues }) => {
    const prefix = bullmqQueues.find((pattern) => pattern.endsWith('*'));
    if (backend !== 'bullmq' || prefix === undefined) return [];
    const message = `FAIRLANE_BULLMQ_QUEUES=${bullmqQueues.join(',')}: with FAIRLANE_BACKEND=bullmq all queues are on BullMQ; ${prefix} names none to list`;
    return [{ env: 'FAIRLANE_BULLMQ_QUEUES', message }];
  },
);

export type BackendSettings = SettingsOf<typeof backendSettings>;

/** Which backend has which queues, and what they are made from. */
export function chooseBackends(
  { backend, bullmqQueues, bullmqPrefix }: BackendSettings,
  { keyPrefix, allowUnsafe, durability, replicas, ...address }: RedisSettings,
) {
  const all = backend === 'bullmq';
  const others = all || bullmqQueues.length === 0 ? [] : [{ name: 'bullmq', queues: bullmqQueues }];
  const queues = all ? bullmqQueues : [];
  const options = { address, keyPrefix, allowUnsafe, durability, replicas, bullmqPrefix, queues };
  return { main: backend, others, options };
}
