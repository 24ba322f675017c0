import { afterEach, expect, test } from '@jest/globals';
import { post } from '../support/client.js';
import { follow } from '../support/events.js';
import { killLeftovers, startApi } from '../support/processes.js';
import { ownRedis } from '../support/redis.js';

let redis: Awaited<ReturnType<typeof ownRedis>>;

afterEach(async () => {
  await killLeftovers();
  await redis.cleanup();
}, 30_000);

test.each(['redis', 'bullmq'])(
  'whoever follows while Redis is killed and started again is told of a gap, and hears what comes then, on %s',
  async (backend) => {
    redis = await ownRedis({ appendfsync: 'always' });
    const api = await startApi(redis.url, { FAIRLANE_BACKEND: backend });
    const submit = async (id: string) => {
      while ((await post(`${api.url}/v1/tasks`, { type: 'none', queue: 'q', id })).status !== 202);
    };
    await submit('first');
    const all = await follow(`${api.url}/v1/events`);
    const queue = await follow(`${api.url}/v1/queues/q/events`);
    const task = await follow(`${api.url}/v1/tasks/q~first/events`);
    expect(await task.next()).toMatchObject({ event: 'task', data: { state: 'pending' } });
    await submit('second');
    for (const stream of [all, queue]) expect((await stream.next()).data).toMatchObject({ id: 'q~second' });

    process.kill(redis.server.pid, 'SIGKILL');
    await redis.restart();

    for (const stream of [all, queue]) expect(await stream.next()).toEqual({ event: 'gap', data: {} });
    expect((await task.next()).event).toBe('gap');
    expect(await task.next()).toMatchObject({ event: 'task', data: { state: 'pending' } });
    await submit('third');
    for (const stream of [all, queue]) expect((await stream.next()).data).toMatchObject({ id: 'q~third' });
    await post(`${api.url}/v1/tasks/q~first/cancel`, {});
    expect((await task.rest()).map(({ event }) => event)).toEqual(['state', 'task']);
  },
  60_000,
);
