import { until } from '../support/until.js';
import { connectionsOf, type Leased, REQUEST_ID, startLeased, stored, submit, visit } from './leasing.js';
import { closeApis, startApiOver, STORES } from './support.js';

afterEach(closeApis);

describe.each(STORES)('over %s', (store) => {
  describe('settling a task', () => {
    test.each([null, 0, '', [], { a: { b: [1.5, '\u2028'] } }])(
      'complete keeps the result %j, and a repeat answers the same',
      async (result) => {
        const { http, queue, tokens } = await startLeased(store, ['1']);
        const body = { leaseToken: tokens[0], result, logs: ['done'] };
        for (let round = 0; round < 2; round++) {
          await http.post('/v1/tasks/q~1/complete').send(body).expect(200, { id: 'q~1', state: 'completed' });
        }
        expect(await stored(queue, '1')).toMatchObject({
          state: 'completed',
          result: JSON.stringify(result),
          attempt: 1,
        });
        expect((await queue.logs('q~1')).map(({ message }) => message)).toEqual(['done']);
      },
    );

    test('complete without a result leaves the task without one', async () => {
      const { http, queue, tokens } = await startLeased(store, ['1']);
      await http.post('/v1/tasks/q~1/complete').send({ leaseToken: tokens[0] }).expect(200);
      expect((await stored(queue, '1'))?.result).toBeUndefined();
    });

    test('fail keeps the error and tries again as the retry policy says', async () => {
      const { http, queue, tokens } = await startLeased(store, ['1']);
      const error = { message: 'no', code: 'mail-refused', details: { host: 'x' } };
      const body = { leaseToken: tokens[0], error };
      for (let round = 0; round < 2; round++) {
        await http.post('/v1/tasks/q~1/fail').send(body).expect(200, { id: 'q~1', state: 'retrying' });
      }
      expect(await stored(queue, '1')).toMatchObject({
        state: 'retrying',
        failures: 1,
        errors: [{ ...error, attempt: 1, workerId: 'w' }],
      });
    });

    test('fail tries again after the time given, or never', async () => {
      const { http, queue, tokens } = await startLeased(store, ['1', '2']);
      const error = { message: 'no' };
      const before = Date.now();
      await http
        .post('/v1/tasks/q~1/fail')
        .send({ leaseToken: tokens[0], error, retryIn: '10d' })
        .expect(200, { id: 'q~1', state: 'retrying' });
      expect((await stored(queue, '1'))!.dueAt! - before).toBeGreaterThan(9 * 86_400_000);
      await http
        .post('/v1/tasks/q~2/fail')
        .send({ leaseToken: tokens[1], error, retryable: false })
        .expect(200, { id: 'q~2', state: 'failed' });
      expect(await stored(queue, '2')).toMatchObject({ failureReason: 'not-retryable' });
    });

    test('an error that is too long is cut and never refused', async () => {
      const { http, queue, tokens } = await startLeased(store, ['1']);
      const error = { message: 'x'.repeat(5_000), code: 'c'.repeat(100), details: 'd'.repeat(20_000) };
      await http.post('/v1/tasks/q~1/fail').send({ leaseToken: tokens[0], error }).expect(200);
      const kept = (await stored(queue, '1'))!.errors[0]!;
      expect([kept.message.length, kept.code?.length, kept.details]).toEqual([
        4_000,
        64,
        '(dropped: too long)',
      ]);
    });

    test('release gives the task back uncounted, and holds the queue back where told to', async () => {
      const { http, queue, tokens } = await startLeased(store, ['1', '2']);
      for (let round = 0; round < 2; round++) {
        await http
          .post('/v1/tasks/q~1/release')
          .send({ leaseToken: tokens[0] })
          .expect(200, { id: 'q~1', state: 'pending' });
      }
      expect(await stored(queue, '1')).toMatchObject({ attempt: 0, errors: [] });
      await http.post('/v1/tasks/q~2/release').send({ leaseToken: tokens[1], retryAfter: '1h' }).expect(200);
      await http.post('/v1/queues/q/lease').send({ workerId: 'w' }).expect(204);
    });

    test('a task that somebody wants cancelled ends cancelled, unless it completes', async () => {
      const { http, queue, tokens } = await startLeased(store, ['1', '2', '3']);
      await queue.cancel(['q~1', 'q~2', 'q~3']);
      const settle = (key: string, action: string, body: object) =>
        http.post(`/v1/tasks/q~${key}/${action}`).send(body).expect(200);
      const failed = await settle('1', 'fail', { leaseToken: tokens[0], error: { message: 'stopped' } });
      const released = await settle('2', 'release', { leaseToken: tokens[1] });
      const completed = await settle('3', 'complete', { leaseToken: tokens[2] });
      expect([failed, released, completed].map(({ body }) => body.state)).toEqual([
        'cancelled',
        'cancelled',
        'completed',
      ]);
    });

    const all: [string, object][] = [
      ['complete', {}],
      ['fail', { error: { message: 'no' } }],
      ['release', {}],
      ['heartbeat', {}],
    ];

    test.each(all)('%s with another token is refused, and nothing changes', async (action, body) => {
      const { http, queue } = await startLeased(store, ['1']);
      const before = await stored(queue, '1');
      for (const leaseToken of ['x', 'ü \n~', `${REQUEST_ID}.0`]) {
        const answer = await http
          .post(`/v1/tasks/q~1/${action}`)
          .send({ leaseToken, ...body })
          .expect(409);
        expect(answer.body).toMatchObject({ code: 'lease-lost', taskId: 'q~1' });
      }
      expect(await stored(queue, '1')).toEqual(before);
    });

    test.each(all)('%s after the lease was lost is refused, and nothing changes', async (action, body) => {
      const { http, queue } = await startApiOver(store);
      await submit(queue, '1');
      await queue.reap('q');
      const lease = { workerId: 'w', leaseDuration: '1s' };
      const first = (await http.post('/v1/queues/q/lease').send(lease).expect(200)).body as Leased;
      await until(async () => (await queue.reap('q')).count === 1);
      const second = (await http.post('/v1/queues/q/lease').send({ workerId: 'v' }).expect(200))
        .body as Leased;
      const before = await stored(queue, '1');
      expect(before).toMatchObject({ state: 'running', attempt: 2, crashes: 1, workerId: 'v' });
      const { leaseToken } = first.items[0]!;
      const answer = await http
        .post(`/v1/tasks/q~1/${action}`)
        .send({ leaseToken, ...body })
        .expect(409);
      expect(answer.body.code).toBe('lease-lost');
      expect(await stored(queue, '1')).toEqual(before);
      const { leaseToken: current } = second.items[0]!;
      await http
        .post(`/v1/tasks/q~1/${action}`)
        .send({ leaseToken: current, ...body })
        .expect(200);
    });

    test.each(all)('%s of a task there is not is refused', async (action, body) => {
      const { http } = await startApiOver(store);
      const send = (id: string) => http.post(`/v1/tasks/${id}/${action}`).send({ leaseToken: 'x', ...body });
      expect((await send('q~1').expect(404)).body).toMatchObject({ code: 'task-not-found', taskId: 'q~1' });
      expect((await send('no-id').expect(422)).body.code).toBe('invalid-task-id');
    });
  });

  describe('settling many', () => {
    test('answers for each, in order, and a repeat answers the same', async () => {
      const { http, queue, tokens } = await startLeased(store, ['1', '2', '3', '4']);
      const settlements = [
        { id: 'q~2', leaseToken: tokens[1], action: 'fail', error: { message: 'no' }, retryable: false },
        { id: 'q~1', leaseToken: tokens[0], action: 'complete', result: { n: 1 }, logs: ['x'] },
        { id: 'q~4', leaseToken: tokens[0], action: 'complete' },
        { id: 'other~1', leaseToken: 'x', action: 'complete' },
        { id: 'q~3', leaseToken: tokens[2], action: 'release', retryAfter: '1h' },
      ];
      for (let round = 0; round < 2; round++) {
        const { body } = await http.post('/v1/leases/settle').send({ settlements }).expect(200);
        expect(body).toEqual({
          outcomes: [
            { id: 'q~2', state: 'failed' },
            { id: 'q~1', state: 'completed' },
            { id: 'q~4', problem: expect.objectContaining({ code: 'lease-lost', taskId: 'q~4' }) },
            { id: 'other~1', problem: expect.objectContaining({ code: 'task-not-found' }) },
            { id: 'q~3', state: 'pending' },
          ],
        });
      }
      expect(await stored(queue, '1')).toMatchObject({ state: 'completed', result: '{"n":1}' });
      expect(await stored(queue, '4')).toMatchObject({ state: 'running' });
    });

    test('takes the next tasks in the same step, once for all repeats', async () => {
      const { http, queue, tokens } = await startLeased(store, ['1', '2', '3'], 1);
      const step = {
        settlements: [{ id: 'q~1', leaseToken: tokens[0], action: 'complete' }],
        next: { queue: 'q', workerId: 'w', requestId: REQUEST_ID, leaseDuration: '1h' },
      };
      const first = await http.post('/v1/leases/settle').send(step).expect(200);
      expect(first.body).toMatchObject({
        outcomes: [{ id: 'q~1', state: 'completed' }],
        lease: { items: [{ id: 'q~2', attempt: 1, leaseToken: `${REQUEST_ID}.2` }], more: true },
      });
      const second = await http.post('/v1/leases/settle').send(step).expect(200);
      expect(second.body.lease.items).toEqual(first.body.lease.items);
      expect(await stored(queue, '3')).toMatchObject({ state: 'pending' });
    });

    test('says so where there is nothing to take next, or where it is of another queue', async () => {
      const { http, queue, tokens } = await startLeased(store, ['1', '2']);
      const settle = (key: string, leaseToken: string | undefined, name: string) =>
        http.post('/v1/leases/settle').send({
          settlements: [{ id: `q~${key}`, leaseToken, action: 'complete' }],
          next: { queue: name, workerId: 'w' },
        });
      const nothing = await settle('1', tokens[0], 'q').expect(200);
      expect(nothing.body.lease).toEqual({ items: [], more: false });
      await queue.enqueue([{ type: 'a', queue: 'other', key: '1' }]);
      const other = await settle('2', tokens[1], 'other').expect(200);
      expect(other.body).toMatchObject({
        outcomes: [{ state: 'completed' }],
        lease: { items: [{ id: 'other~1' }] },
      });
    });

    test('gives back what was taken next for a client that left, and settles all the same', async () => {
      const { app, url, queue, tokens } = await startLeased(store, ['1', '2'], 1);
      const settle = queue.settle.bind(queue);
      let calls = 0;
      queue.settle = async (...args) => {
        const settled = await settle(...args);
        client.leave();
        await until(() => connectionsOf(app.getHttpServer()).then((count) => count === 0));
        calls++;
        return settled;
      };
      const client = visit(`${url}/v1/leases/settle`, {
        settlements: [{ id: 'q~1', leaseToken: tokens[0], action: 'complete' }],
        next: { queue: 'q', workerId: 'w' },
      });
      await until(() => calls === 2);
      expect(await stored(queue, '2')).toMatchObject({ state: 'pending', attempt: 0 });
      expect(await stored(queue, '1')).toMatchObject({ state: 'completed' });
    });
  });
});
