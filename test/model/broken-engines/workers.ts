import type { BrokenEngine } from '../broken-engine.js';
import type { Step } from '../step.js';
import { advance } from '../steps.js';

const REGISTER: Step = { do: 'register', worker: 0, said: { queues: ['q'] }, ttlMs: 5_000 };

/** Who is registered, and what is wanted of them. */
export const BROKEN_WORKERS: readonly BrokenEngine[] = [
  {
    about: 'takes a worker for present that is silent',
    breaks: 'if deadline and tonumber(deadline) > now then',
    into: 'if deadline then',
    story: [REGISTER, advance(5_000)],
  },
  {
    about: 'takes a sign of life for a beginning',
    breaks: "local registered = known and string.match(known[2], '^%d+') or stamp",
    into: 'local registered = stamp',
    story: [REGISTER, advance(1_000), REGISTER],
  },
  {
    about: 'forgets with a sign of life what is wanted of a worker',
    breaks: "redis.call('ZADD', keys.workerDeadlines, now_ms + ttl_ms, id)",
    into: "redis.call('HDEL', keys.workerCommands, id)\nredis.call('ZADD', keys.workerDeadlines, now_ms + ttl_ms, id)",
    story: [REGISTER, { do: 'tell', worker: 0, command: 'quiet' }, REGISTER],
  },
  {
    about: 'wants of a worker that was gone what it wanted before',
    script: 'register',
    breaks: 'for _, key in ipairs({ keys.workerRecords, keys.workerCommands }) do',
    into: 'for _, key in ipairs({ keys.workerRecords }) do',
    story: [REGISTER, { do: 'tell', worker: 0, command: 'quiet' }, advance(5_000), REGISTER],
  },
  {
    about: 'does not let a worker work again',
    breaks: "if command == '' then\nredis.call('HDEL', keys.workerCommands, id)",
    into: "if command == '' then",
    story: [REGISTER, { do: 'tell', worker: 0, command: 'terminate' }, { do: 'tell', worker: 0 }],
  },
  {
    about: 'lists a worker that has said goodbye',
    script: 'deregister',
    breaks: 'forget_workers(keys, { id })',
    into: '',
    story: [REGISTER, { do: 'deregister', worker: 0 }],
  },
];
