import type { Queue } from '@app/queue';
import { MemoryQueue } from '../../libs/queue/src/memory/memory-queue.js';
import { closeApis, countStored, startApi, startApiOver, STORES, work } from './support.js';

afterEach(closeApis);

const lease = (queue: Queue) => queue.lease({ queue: 'q', workerId: 'w', max: 10, leaseMs: 30_000 });

describe.each(STORES)('over %s', (store) => {
  test('a paused queue starts nothing until it is resumed, and takes new tasks', async () => {
    const { http, queue } = await startApiOver(store);
    for (let round = 0; round < 2; round++) {
      const { body } = await http.post('/v1/queues/q/pause').expect(200);
      expect(body).toMatchObject({ queue: 'q', paused: true, draining: false });
    }
    await http.post('/v1/tasks').send({ type: 'a', queue: 'q' }).expect(202);
    expect((await lease(queue)).tasks).toEqual([]);
    for (let round = 0; round < 2; round++) {
      expect((await http.post('/v1/queues/q/resume').send({}).expect(200)).body.paused).toBe(false);
    }
    expect((await lease(queue)).tasks).toHaveLength(1);
  });

  test('a queue can be paused and resumed before its first task, and is known from then on', async () => {
    const { http } = await startApiOver(store);
    await http.post('/v1/queues/q/pause').expect(200);
    for (let round = 0; round < 2; round++) {
      const { body } = await http.post('/v1/queues/q/resume').expect(200);
      expect(body).toMatchObject({ queue: 'q', paused: false, backlog: 0, settings: {} });
    }
  });

  test('a draining queue takes nothing new until it is resumed, and is worked off', async () => {
    const { http, queue } = await startApiOver(store);
    const task = { type: 'a', queue: 'q', id: 'x' };
    await http.post('/v1/tasks').send(task).expect(202);
    for (let round = 0; round < 2; round++) {
      const { body } = await http.post('/v1/queues/q/drain').expect(200);
      expect(body).toMatchObject({ paused: false, draining: true, backlog: 1 });
    }
    const refused = await http.post('/v1/tasks').send({ type: 'a', queue: 'q' }).expect(409);
    expect(refused.body.code).toBe('queue-draining');
    await http.post('/v1/tasks').send(task).expect(202).expect('idempotent-replayed', 'true');
    expect(await countStored(queue)).toBe(1);
    expect((await lease(queue)).tasks).toHaveLength(1);
    expect((await http.post('/v1/queues/q/resume').expect(200)).body.draining).toBe(false);
    await http.post('/v1/tasks').send({ type: 'a', queue: 'q' }).expect(202);
  });

  test('a full backlog refuses a task with 429 and says when to come back', async () => {
    const { http, queue } = await startApiOver(store);
    await http.put('/v1/queues/q').send({ backlog: 1 }).expect(200);
    const task = { type: 'a', queue: 'q', id: 'x' };
    await http.post('/v1/tasks').send(task).expect(202);
    const { body, headers } = await http.post('/v1/tasks').send({ type: 'a', queue: 'q' }).expect(429);
    expect(body).toMatchObject({ code: 'backlog-full', status: 429, retryAfterMs: expect.any(Number) });
    expect(headers['retry-after']).toBe(String(Math.ceil(body.retryAfterMs / 1_000)));
    await http.post('/v1/tasks').send(task).expect(202).expect('idempotent-replayed', 'true');
    await work(queue, 'q');
    await http.post('/v1/tasks').send({ type: 'a', queue: 'q' }).expect(202);
  });

  test('a batch that is more than the backlog holds is stored whole, in part or not at all', async () => {
    const { http, queue } = await startApiOver(store);
    await http
      .put('/v1/queues/q')
      .send({ tenants: { backlog: 2 } })
      .expect(200);
    const tasks = Array.from({ length: 3 }, () => ({ type: 'a', queue: 'q', tenant: 'acme' }));
    const whole = await http.post('/v1/tasks/batch').send({ tasks }).expect(429);
    expect(whole.body).toMatchObject({
      code: 'backlog-full',
      detail: 'Nothing was stored.',
      retryAfterMs: expect.any(Number),
    });
    expect(whole.headers['retry-after']).toMatch(/^[1-9]\d*$/);
    expect(await countStored(queue)).toBe(0);

    const part = await http.post('/v1/tasks/batch').send({ tasks, atomic: false }).expect(202);
    expect(part.body).toMatchObject({
      accepted: 2,
      refused: 1,
      items: [{}, {}, { problem: { code: 'backlog-full', status: 429, retryAfterMs: expect.any(Number) } }],
    });
    const none = await http.post('/v1/tasks/batch').send({ tasks, atomic: false }).expect(429);
    expect(none.body).toMatchObject({ code: 'backlog-full', retryAfterMs: expect.any(Number) });
    expect(none.headers['retry-after']).toMatch(/^[1-9]\d*$/);

    const { text } = await http
      .post('/v1/tasks/batch')
      .type('application/x-ndjson')
      .send('{"type":"a","queue":"q","tenant":"acme"}\n{"type":"a","queue":"q","tenant":"other"}')
      .buffer()
      .expect(202);
    const lines = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toMatchObject([
      { status: 'refused', problem: { code: 'backlog-full', retryAfterMs: expect.any(Number) } },
      { status: 'accepted' },
    ]);
    expect(await countStored(queue)).toBe(3);
  });

  test('a batch into a draining queue is refused as a whole', async () => {
    const { http, queue } = await startApiOver(store);
    await http.post('/v1/queues/q/drain').expect(200);
    const tasks = [
      { type: 'a', queue: 'q' },
      { type: 'a', queue: 'q' },
    ];
    const { body } = await http.post('/v1/tasks/batch').send({ tasks }).expect(409);
    expect(body).toMatchObject({ code: 'queue-draining', detail: 'Nothing was stored.' });
    expect(body).not.toHaveProperty('errors');
    await http.post('/v1/tasks/batch').send({ tasks, atomic: false }).expect(409);
    expect(await countStored(queue)).toBe(0);
  });

  test('purging cancels what waits, leaves what runs, and removes what has ended', async () => {
    const { http, queue } = await startApiOver(store);
    await queue.enqueue([
      { type: 'a', queue: 'q', key: 'running' },
      { type: 'a', queue: 'q', key: 'pending' },
      { type: 'a', queue: 'q', key: 'other', tenant: 'other' },
      { type: 'a', queue: 'q', key: 'scheduled', delayMs: 60_000 },
    ]);
    await queue.lease({ queue: 'q', workerId: 'w', max: 1, leaseMs: 30_000 });
    const purge = (body: object) => http.post('/v1/queues/q/purge').send(body);
    const stateOf = async (key: string) => (await queue.get([`q~${key}`]))[0]?.state;

    await purge({ state: 'pending', tenant: 'other' }).expect(200, { count: 1, more: false });
    expect([await stateOf('other'), await stateOf('pending')]).toEqual(['cancelled', 'pending']);
    await purge({ state: 'waiting' }).expect(200, { count: 2, more: false });
    expect([await stateOf('pending'), await stateOf('scheduled')]).toEqual(['cancelled', 'cancelled']);
    await purge({ state: 'waiting' }).expect(200, { count: 0, more: false });
    await purge({ state: 'cancelled' }).expect(200, { count: 3, more: false });
    expect([await stateOf('pending'), await stateOf('running')]).toEqual([undefined, 'running']);
  });

  test('purging goes through any number of tasks', async () => {
    const { http, queue } = await startApiOver(store);
    for (let batch = 0; batch < 3; batch++) {
      await queue.enqueue(Array.from({ length: 500 }, () => ({ type: 'a', queue: 'q' })));
    }
    await http
      .post('/v1/queues/q/purge')
      .send({ state: 'waiting' })
      .expect(200, { count: 1_500, more: false });
    expect((await http.get('/v1/queues/q').expect(200)).body).toMatchObject({
      backlog: 0,
      states: { cancelled: 1_500 },
    });
  });
});

test('one request purges a bounded number of tasks and says that there are more', async () => {
  let slices = 0;
  const purge = () => Promise.resolve({ count: 500, more: ++slices > 0 });
  const queue = Object.assign(new MemoryQueue(), { purge });
  const { http } = await startApi<Queue>(queue);
  await queue.pause('q');
  await http.post('/v1/queues/q/purge').send({ state: 'failed' }).expect(200, { count: 10_000, more: true });
  expect(slices).toBe(20);
});

test.each<[string, unknown, string[]]>([
  ['no state', {}, ['/state']],
  ['a state of no use', { state: 'running' }, ['/state']],
  ['a tenant of more than pending tasks', { state: 'waiting', tenant: 'acme' }, ['/tenant']],
  ['a tenant that cannot be', { state: 'pending', tenant: 'a b' }, ['/tenant']],
  ['an unknown field', { state: 'pending', type: 'a' }, ['/type']],
])('a purge with %s is refused, and nothing is purged', async (_, body, pointers) => {
  const { http, queue } = await startApi();
  await queue.enqueue([{ type: 'a', queue: 'q', key: 'x' }]);
  const answer = await http
    .post('/v1/queues/q/purge')
    .send(body as object)
    .expect(422);
  expect(answer.body.errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual(pointers);
  expect((await queue.get(['q~x']))[0]?.state).toBe('pending');
});

test.each([
  'pause',
  'resume',
  'drain',
  'dead/retry',
  'dead/purge',
  'tenants/acme/pause',
  'tenants/acme/resume',
])('POST %s refuses a body that says something, and does nothing', async (action) => {
  const { http, queue } = await startApi();
  await queue.enqueue([{ type: 'a', queue: 'q' }]);
  const before = await queue.overview(['q']);
  const { body } = await http.post(`/v1/queues/q/${action}`).send({ for: '5m' }).expect(422);
  expect(body.errors).toEqual([{ pointer: '/for', detail: 'is not a known field' }]);
  expect((await queue.overview(['q'])).map((one) => [one?.paused, one?.draining])).toEqual(
    before.map((one) => [one?.paused, one?.draining]),
  );
  expect((await queue.tenant('q', 'acme')).paused).toBe(false);
});
