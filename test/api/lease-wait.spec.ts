import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Queue } from '@app/queue';
import { until } from '../support/until.js';
import { connectionsOf, type Leased, post, stored, submit, visit } from './leasing.js';
import { closeApis, startApiOver, STORES } from './support.js';

afterEach(closeApis);

/** Tells how many wait for work, and lets a test act before one of them hears of it. */
const watchWaits = (queue: Queue, onHeard?: (signal?: AbortSignal) => Promise<void>) => {
  const wait = queue.waitForWork.bind(queue);
  const watch = { parked: 0, wait };
  queue.waitForWork = async (...args) => {
    watch.parked++;
    try {
      const heard = await wait(...args);
      if (heard !== undefined) await onHeard?.(args[2]);
      return heard;
    } finally {
      watch.parked--;
    }
  };
  return watch;
};

describe.each(STORES)('over %s', (store) => {
  describe('waiting for tasks', () => {
    test('of twenty parked polls exactly one gets the one task, and the others go on waiting', async () => {
      const { url, queue } = await startApiOver(store);
      const watch = watchWaits(queue);
      const leaving = new AbortController();
      const answers: number[] = [];
      const polls = Array.from({ length: 20 }, async (_, n) => {
        const terms = { workerId: `w${n}`, wait: '60s' };
        const response = await post(`${url}/v1/queues/q/lease`, terms, leaving.signal);
        answers.push(response.status);
        return (await response.json()) as Leased;
      });
      await until(() => watch.parked === 20);
      await submit(queue, '1');
      const { items } = await Promise.race(polls);
      expect(items).toMatchObject([{ id: 'q~1', attempt: 1 }]);
      await until(() => watch.parked === 19);
      await delay(50);
      expect(answers).toEqual([200]);
      expect(watch.parked).toBe(19);
      expect(await stored(queue, '1')).toMatchObject({ state: 'running', attempt: 1 });
      leaving.abort();
      await Promise.allSettled(polls);
    });

    test('every one of many submissions finds a parked poll', async () => {
      const { url, queue } = await startApiOver(store);
      const watch = watchWaits(queue);
      const polls = Array.from({ length: 10 }, async (_, n) => {
        const response = await post(`${url}/v1/queues/q/lease`, { workerId: `w${n}`, wait: '60s' });
        return ((await response.json()) as Leased).items[0]!.id;
      });
      await until(() => watch.parked === 10);
      const keys = Array.from({ length: 10 }, (_, n) => String(n));
      await submit(queue, ...keys);
      expect((await Promise.all(polls)).sort()).toEqual(keys.map((key) => `q~${key}`));
    });

    test('a poll takes what falls due while it waits', async () => {
      const { http, queue } = await startApiOver(store);
      await queue.enqueue([{ type: 'a', queue: 'q', key: '1', delayMs: 200 }]);
      const { body } = await http.post('/v1/queues/q/lease').send({ workerId: 'w', wait: '60s' }).expect(200);
      expect(body.items).toMatchObject([{ id: 'q~1' }]);
    });

    test('many polls take what a rate lets start, one after the other', async () => {
      const { url, queue } = await startApiOver(store);
      await queue.configure('q', { rate: { limit: 1, perMs: 100 } });
      const polls = Array.from({ length: 5 }, async (_, n) => {
        const response = await post(`${url}/v1/queues/q/lease`, { workerId: `w${n}`, wait: '60s' });
        return ((await response.json()) as Leased).items[0]!.id;
      });
      await submit(queue, '1', '2', '3', '4', '5');
      expect(new Set(await Promise.all(polls)).size).toBe(5);
    });

    test('a poll that finds nothing in its time is answered 204', async () => {
      const { http } = await startApiOver(store);
      await http.post('/v1/queues/q/lease').send({ workerId: 'w', wait: 50 }).expect(204);
    });

    test('a poll for some tenants is woken for them, and takes no token from those who serve everybody', async () => {
      const { url, queue } = await startApiOver(store);
      const watch = watchWaits(queue);
      const terms = { workerId: 'w', tenants: ['acme'], steal: false, wait: '60s' };
      const poll = post(`${url}/v1/queues/q/lease`, terms);
      await until(() => watch.parked === 1);
      const everybody = watch.wait(['q'], 60_000);
      await queue.enqueue([{ type: 'a', queue: 'q', tenant: 'other' }]);
      expect(await everybody).toBe('q');
      await queue.enqueue([{ type: 'a', queue: 'q', tenant: 'acme' }]);
      const { items } = (await (await poll).json()) as Leased;
      expect(items.map(({ tenant }) => tenant)).toEqual(['acme']);
    });

    test('a poll whose client disappears waits no more and takes nothing', async () => {
      const { url, queue } = await startApiOver(store);
      const watch = watchWaits(queue);
      const client = visit(`${url}/v1/queues/q/lease`, { workerId: 'w', wait: '60s' });
      await until(() => watch.parked === 1);
      client.leave();
      await until(() => watch.parked === 0);
      await submit(queue, '1');
      expect(await queue.waitForWork(['q'], 5_000)).toBe('q');
      expect(await stored(queue, '1')).toMatchObject({ state: 'pending', attempt: 0 });
    });

    test('a poll whose client disappears with the wake token passes it on', async () => {
      const { url, queue } = await startApiOver(store);
      const watch = watchWaits(queue, async (signal) => {
        client.leave();
        await until(() => signal?.aborted === true);
      });
      const client = visit(`${url}/v1/queues/q/lease`, { workerId: 'w', wait: '60s' });
      await until(() => watch.parked === 1);
      const somebodyElse = watch.wait(['q'], 5_000);
      await submit(queue, '1');
      expect(await somebodyElse).toBe('q');
      expect(await stored(queue, '1')).toMatchObject({ state: 'pending', attempt: 0 });
    });

    test('what was taken for a client that left meanwhile goes back uncounted', async () => {
      const { app, url, queue } = await startApiOver(store);
      await submit(queue, '1', '2');
      const lease = queue.lease.bind(queue);
      let taken = false;
      queue.lease = async (terms) => {
        const found = await lease(terms);
        client.leave();
        await until(() => connectionsOf(app.getHttpServer()).then((count) => count === 0));
        taken = true;
        return found;
      };
      const client = visit(`${url}/v1/queues/q/lease`, { workerId: 'w', max: 2 });
      await until(async () => taken && (await stored(queue, '2'))?.state === 'pending');
      expect(await stored(queue, '1')).toMatchObject({
        state: 'pending',
        attempt: 0,
        crashes: 0,
        errors: [],
      });
      const { tasks } = await lease({ queue: 'q', workerId: 'x', max: 2, leaseMs: 30_000 });
      expect(tasks.map(({ id }) => id)).toEqual(['q~1', 'q~2']);
    });

    test('what was taken for a client that leaves in the middle of the answer goes back uncounted', async () => {
      const { port, queue } = await startApiOver(store);
      const payload = JSON.stringify('x'.repeat(1_000_000));
      const keys = Array.from({ length: 30 }, (_, n) => String(n));
      for (const key of keys) await queue.enqueue([{ type: 'a', queue: 'q', key, payload }]);
      const socket = connect(port, '127.0.0.1');
      const body = JSON.stringify({ workerId: 'w', max: 30 });
      socket.write(
        `POST /v1/queues/q/lease HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      );
      await once(socket, 'readable');
      expect(await stored(queue, '29')).toMatchObject({ state: 'running' });
      socket.destroy();
      await until(async () => (await stored(queue, '29'))?.state === 'pending');
      expect(await stored(queue, '0')).toMatchObject({ state: 'pending', attempt: 0 });
    });

    test('what was answered stays leased when the client leaves', async () => {
      const { app, url, queue } = await startApiOver(store);
      await submit(queue, '1');
      const client = visit(`${url}/v1/queues/q/lease`, { workerId: 'w' });
      const items = await client.items;
      expect(items).toHaveLength(1);
      client.leave();
      await until(() => connectionsOf(app.getHttpServer()).then((count) => count === 0));
      await delay(50);
      expect(await stored(queue, '1')).toMatchObject({ state: 'running', attempt: 1 });
    });

    test('a shutdown answers parked polls', async () => {
      const { app, url, queue } = await startApiOver(store);
      const watch = watchWaits(queue);
      const poll = post(`${url}/v1/queues/q/lease`, { workerId: 'w', wait: '60s' });
      await until(() => watch.parked === 1);
      const closing = app.close();
      expect((await poll).status).toBe(204);
      await closing;
    });
  });
});
