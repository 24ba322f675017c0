import { REQUEST_ID, type Leased, startLeased, stored, submit } from './leasing.js';
import { closeApis, startApiOver, STORES } from './support.js';

afterEach(closeApis);

describe.each(STORES)('over %s', (store) => {
  describe('taking tasks', () => {
    test('answers with all that a worker needs', async () => {
      const { http, queue } = await startApiOver(store);
      await queue.enqueue([
        {
          type: 'email.send',
          queue: 'q',
          key: '1',
          payload: '{"to":"ada@example.com","n":[1,null]}',
          tenant: 'acme',
          priority: 4,
          timeoutMs: 5_000,
          orderingKey: 'account-7',
          tags: ['t'],
          metadata: { source: 'signup' },
        },
        { type: 'a', queue: 'q', key: '2' },
      ]);
      const { body } = await http.post('/v1/queues/q/lease').send({ workerId: 'w' }).expect(200);
      expect(body).toEqual({
        items: [
          {
            id: 'q~1',
            queue: 'q',
            type: 'email.send',
            tenant: 'acme',
            priority: 4,
            priorityName: 'high',
            payload: { to: 'ada@example.com', n: [1, null] },
            attempt: 1,
            failures: 0,
            crashes: 0,
            errors: [],
            tags: ['t'],
            metadata: { source: 'signup' },
            timeoutMs: 5_000,
            orderingKey: 'account-7',
            createdAt: expect.any(String),
            leaseToken: expect.any(String),
            leaseExpiresAt: expect.any(String),
          },
        ],
        more: true,
      });
      const task = await stored(queue, '1');
      expect(task).toMatchObject({ state: 'running', workerId: 'w', attempt: 1 });
      expect(new Date(task!.leaseExpiresAt!).toISOString()).toBe(body.items[0].leaseExpiresAt);
      expect(task!.leaseExpiresAt! - task!.startedAt!).toBe(30_000);
    });

    test('takes as many as wanted, for as long as wanted, with the errors of earlier attempts', async () => {
      const { http, queue, tokens } = await startLeased(store, ['1', '2', '3'], 1);
      await http
        .post('/v1/tasks/q~1/fail')
        .send({ leaseToken: tokens[0], error: { message: 'no', code: 'c', details: [1] }, retryIn: 0 })
        .expect(200);
      const { body } = await http
        .post('/v1/queues/q/lease')
        .send({ workerId: 'w', max: 1_000, leaseDuration: '1h' })
        .expect(200);
      expect(body.more).toBe(false);
      expect(body.items.map(({ id }: { id: string }) => id)).toEqual(['q~2', 'q~3', 'q~1']);
      expect(body.items[2]).toMatchObject({
        attempt: 2,
        failures: 1,
        errors: [{ attempt: 1, message: 'no', code: 'c', details: [1], workerId: 'w' }],
      });
      const task = await stored(queue, '3');
      expect(task!.leaseExpiresAt! - task!.startedAt!).toBe(3_600_000);
    });

    test('of a queue that has nothing, or does not exist, answers 204', async () => {
      const { http, queue } = await startApiOver(store);
      await queue.enqueue([{ type: 'a', queue: 'q', delayMs: 60_000 }]);
      for (const name of ['q', 'nowhere']) {
        const { text } = await http.post(`/v1/queues/${name}/lease`).send({ workerId: 'w' }).expect(204);
        expect(text).toBe('');
      }
      await http.get('/v1/queues/nowhere').expect(404);
    });

    test('a repeat answers with what the first request took and still holds', async () => {
      const { http, queue } = await startApiOver(store);
      await submit(queue, '1', '2', '3');
      const lease = () =>
        http.post('/v1/queues/q/lease').send({ workerId: 'w', max: 2, requestId: REQUEST_ID });
      const first = await lease().expect(200);
      expect((await lease().expect(200)).body.items).toEqual(first.body.items);
      const { leaseToken } = first.body.items[0];
      await http.post('/v1/tasks/q~1/complete').send({ leaseToken }).expect(200);
      expect((await lease().expect(200)).body.items).toEqual([first.body.items[1]]);
      expect(await stored(queue, '3')).toMatchObject({ state: 'pending' });
    });

    test('a repeat for no task tells what the first request took, and takes nothing', async () => {
      const { http, queue } = await startApiOver(store);
      await submit(queue, '1', '2');
      const terms = { workerId: 'w', requestId: REQUEST_ID, wait: '30s' };
      const lease = (max: number) => http.post('/v1/queues/q/lease').send({ ...terms, max });
      const first = await lease(1).expect(200);
      expect((await lease(0).expect(200)).body.items).toEqual(first.body.items);
      expect(await stored(queue, '2')).toMatchObject({ state: 'pending' });
    });

    test('a request that comes after its repeat for no task takes nothing', async () => {
      const { http, queue } = await startApiOver(store);
      await submit(queue, '1');
      const terms = { workerId: 'w', requestId: REQUEST_ID };
      await http
        .post('/v1/queues/q/lease')
        .send({ ...terms, max: 0, wait: '30s' })
        .expect(204);
      await http.post('/v1/queues/q/lease').send(terms).expect(204);
      expect(await stored(queue, '1')).toMatchObject({ state: 'pending' });
    });

    test('a repeat that waits gets new tasks where the first ones have gone back', async () => {
      const { http, queue } = await startApiOver(store);
      await submit(queue, '1');
      const lease = (wait: string) =>
        http.post('/v1/queues/q/lease').send({ workerId: 'w', requestId: REQUEST_ID, wait });
      const { leaseToken } = (await lease('0ms').expect(200)).body.items[0];
      await http.post('/v1/tasks/q~1/release').send({ leaseToken }).expect(200);
      const again = await lease('30s').expect(200);
      expect(again.body.items[0]).toMatchObject({ id: 'q~1', attempt: 1 });
      expect(again.body.items[0].leaseToken).not.toBe(leaseToken);
    });

    test('tenants are served first, others when they have nothing, or only those named, or nobody', async () => {
      const { http, queue } = await startApiOver(store);
      await queue.enqueue(
        ['b', 'c', 'd', 'acme'].map((tenant) => ({ type: 'a', queue: 'q', tenant, key: tenant })),
      );
      const lease = async (steal?: boolean | string[]) => {
        const terms = { workerId: 'w', tenants: ['acme'], steal };
        const response = await http.post('/v1/queues/q/lease').send(terms);
        return response.status === 204
          ? 204
          : (response.body as Leased).items.map(({ tenant }) => tenant).join();
      };
      expect(await lease()).toBe('acme');
      expect(await lease(false)).toBe(204);
      expect(await lease(['c'])).toBe('c');
      expect(await lease(['c'])).toBe(204);
      expect(await lease(true)).toBe('b');
    });
  });
});
