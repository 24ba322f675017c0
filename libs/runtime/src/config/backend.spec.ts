import { backendSettings, chooseBackends } from './backend.js';
import { ConfigError } from './config-error.js';
import { readSettings } from './read-settings.js';
import { redisSettings } from './redis.js';

const choose = (env: Record<string, string>) => {
  const settings = readSettings({ backend: backendSettings, redis: redisSettings }, env);
  return chooseBackends(settings.backend, settings.redis);
};

describe('what queues are on', () => {
  it('is our own engine where nothing is said', () => {
    expect(choose({})).toMatchObject({ main: 'redis', others: [], options: { address: { port: 6379 } } });
  });

  it('is BullMQ for the queues that are named', () => {
    const env = { FAIRLANE_BULLMQ_QUEUES: 'legacy-*, mail', FAIRLANE_BULLMQ_PREFIX: 'b' };
    expect(choose(env)).toMatchObject({
      main: 'redis',
      others: [{ name: 'bullmq', queues: ['legacy-*', 'mail'] }],
      options: { bullmq: { address: { port: 6379 }, prefix: 'b' }, queues: [] },
    });
  });

  it('is BullMQ for all, of which some can be named to be listed', () => {
    const env = { FAIRLANE_BACKEND: 'bullmq', FAIRLANE_BULLMQ_QUEUES: 'mail' };
    expect(choose(env)).toMatchObject({ main: 'bullmq', others: [], options: { queues: ['mail'] } });
  });

  it('is a Redis of its own for BullMQ, where that is said', () => {
    const { options } = choose({ FAIRLANE_BULLMQ_REDIS_URL: 'redis://old:6379', REDIS_HOST: 'new' });
    expect(options).toMatchObject({
      address: { host: 'new' },
      bullmq: { address: { url: 'redis://old:6379' } },
    });
  });

  it.each([
    [{ FAIRLANE_BACKEND: 'postgres' }, 'one of redis, bullmq, memory'],
    [{ FAIRLANE_BULLMQ_QUEUES: '*' }, 'a comma-separated list of queue names'],
    [{ FAIRLANE_BULLMQ_QUEUES: 'a*b' }, 'a comma-separated list of queue names'],
    [{ FAIRLANE_BULLMQ_PREFIX: '{a}' }, 'without spaces and braces'],
    [{ FAIRLANE_BACKEND: 'bullmq', FAIRLANE_BULLMQ_QUEUES: 'a,b*' }, 'can only name queues to list, not b*'],
    [{ FAIRLANE_BACKEND: 'bullmq', FAIRLANE_DURABILITY: 'strict' }, 'nobody sees to it on BullMQ'],
    [{ FAIRLANE_BACKEND: 'bullmq', FAIRLANE_BULLMQ_REDIS_URL: 'redis://a' }, 'REDIS_URL and its like'],
  ])('is not understood from %j', (env, message) => {
    expect(() => choose(env as Record<string, string>)).toThrow(ConfigError);
    expect(() => choose(env as Record<string, string>)).toThrow(message);
  });
});
