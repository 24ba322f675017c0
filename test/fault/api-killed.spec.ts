import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { countsOf, post, type TaskBody } from '../support/client.js';
import { endedAll, inParallel } from '../support/load.js';
import { killLeftovers, startApi, startWorker } from '../support/processes.js';
import { ownRedis } from '../support/redis.js';
import { freePort } from '../../tools/lib/ports.mjs';

let redis: Awaited<ReturnType<typeof ownRedis>>;

beforeAll(async () => {
  redis = await ownRedis();
});
afterEach(killLeftovers);
afterAll(() => redis.cleanup());

test('an API killed while tasks are posted with idempotency keys loses and doubles none', async () => {
  const port = await freePort();
  let api = await startApi(redis.url, {}, port);
  const keys = Array.from({ length: 1_000 }, (_, n) => `order-${n}`);
  let answered = 0;
  const kills = [150, 500, 800];
  let restarting: Promise<void> = Promise.resolve();
  let uncertain = 0;

  const ids = await inParallel(keys, 20, async (key) => {
    for (;;) {
      try {
        const { status, body } = await post<TaskBody>(
          `${api.url}/v1/tasks`,
          { type: 'demo.echo', payload: { key } },
          { 'idempotency-key': `"${key}"` },
        );
        if (status !== 202) throw new Error(`answered ${status}`);
        answered += 1;
        if (answered === kills[0]) {
          kills.shift();
          restarting = (async () => {
            await api.stop('SIGKILL');
            api = await startApi(redis.url, {}, port);
          })();
        }
        return body.id;
      } catch {
        // Whether it was stored is not known: the same key again is the way to find out.
        uncertain += 1;
        await restarting;
      }
    }
  });
  await restarting;
  expect(kills).toEqual([]);
  expect(uncertain).toBeGreaterThan(0);
  expect(new Set(ids).size).toBe(keys.length);

  await startWorker(redis.url);
  const tasks = await endedAll(api.url, ids);
  expect(tasks.map(({ result }) => (result as { key: string }).key)).toEqual(keys);
  expect(tasks.every(({ state, attempt }) => state === 'completed' && attempt === 1)).toBe(true);
  expect(await countsOf(api.url, 'default')).toMatchObject({
    completed: keys.length,
    pending: 0,
    running: 0,
  });
}, 120_000);
