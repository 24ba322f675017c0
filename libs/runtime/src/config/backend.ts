import { ConfigError, type ConfigProblem } from './config-error.js';
import { list, oneOf, string, url } from './kinds.js';
import type { RedisSettings } from './redis.js';
import { defineSettings, type SettingsOf } from './settings-table.js';

/** What the queues are on. */
export const backendSettings = defineSettings(
  'Backend',
  {
    backend: oneOf(['redis', 'bullmq', 'memory'], {
      env: 'FAIRLANE_BACKEND',
      description:
        'What the queues are on. `redis`: our own engine. `bullmq`: BullMQ. `memory`: an API that is alone, without Redis, and forgets everything when it ends; it cannot have workers but over HTTP.',
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
          'Queues that are on BullMQ while the others are on `FAIRLANE_BACKEND`: names, or beginnings of names followed by `*`. With `FAIRLANE_BACKEND=bullmq`, names of queues to list that BullMQ has and nobody has used here yet.',
        default: [],
      },
    ),
    bullmqUrl: url(['redis', 'rediss'], {
      env: 'FAIRLANE_BULLMQ_REDIS_URL',
      description:
        'Address of the Redis that `FAIRLANE_BULLMQ_QUEUES` are in: `redis[s]://user:password@host:port/db`. Unset: the same as of the other queues.',
      secret: true,
    }),
    bullmqPrefix: string(
      { pattern: /[^\s{}]{1,64}/, expected: '1 to 64 characters without spaces and braces' },
      {
        env: 'FAIRLANE_BULLMQ_PREFIX',
        description: 'The `prefix` of the queues on BullMQ, as its producers and workers have it.',
        default: 'bull',
      },
    ),
  },
  findContradictions,
);

export type BackendSettings = SettingsOf<typeof backendSettings>;

/** Which backend has which queues, and what they are made from. */
export function chooseBackends(
  { backend, bullmqQueues, bullmqUrl, bullmqPrefix }: BackendSettings,
  { keyPrefix, allowUnsafe, durability, replicas, ...address }: RedisSettings,
) {
  const all = backend === 'bullmq';
  if (all && durability === 'strict') throw new ConfigError([noStrictBullmq]);
  const others = all || bullmqQueues.length === 0 ? [] : [{ name: 'bullmq', queues: bullmqQueues }];
  const queues = all ? bullmqQueues : [];
  const bullmq = { address: bullmqUrl === undefined ? address : { url: bullmqUrl }, prefix: bullmqPrefix };
  const options = { address, keyPrefix, allowUnsafe, durability, replicas, bullmq, queues };
  return { main: backend, others, options };
}

const noStrictBullmq: ConfigProblem = {
  env: 'FAIRLANE_DURABILITY',
  message:
    'FAIRLANE_DURABILITY=strict: nobody sees to it on BullMQ, where FAIRLANE_BACKEND=bullmq has all queues',
};

function findContradictions(
  { backend, bullmqQueues }: { readonly backend: string; readonly bullmqQueues: readonly string[] },
  given: ReadonlySet<string>,
): ConfigProblem[] {
  if (backend !== 'bullmq') return [];
  const problems: ConfigProblem[] = [];
  const contradict = (env: string, text: string) =>
    problems.push({ env, message: `${env}${text}: with FAIRLANE_BACKEND=bullmq all queues are on BullMQ` });
  const prefix = bullmqQueues.find((pattern) => pattern.endsWith('*'));
  if (prefix !== undefined)
    contradict('FAIRLANE_BULLMQ_QUEUES', ` can only name queues to list, not ${prefix}`);
  if (given.has('FAIRLANE_BULLMQ_REDIS_URL'))
    contradict('FAIRLANE_BULLMQ_REDIS_URL', ' is too much, REDIS_URL and its like say where they are');
  return problems;
}
