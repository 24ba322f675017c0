import { LIMITS, type Queue } from '@app/queue';
import { closeApis, startApi, startApiOver, STORES, work } from './support.js';

afterEach(closeApis);

const NO_TOTALS = { completed: 0, failed: 0, retried: 0, released: 0, cancelled: 0, crashed: 0 };
const isTime = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

const register = (queue: Queue, id = 'w', rest = {}) =>
  queue.register({ id, queues: ['q'], ...rest }, 60_000);

describe.each(STORES)('over %s', (store) => {
  test('a worker registers with its queues alone', async () => {
    const { http, queue } = await startApiOver(store);
    const { body } = await http
      .put('/v1/workers/w')
      .send({ queues: ['q'] })
      .expect(200);
    const expected = { id: 'w', queues: ['q'], types: [], labels: {} };
    expect(body).toEqual({ ...expected, registeredAt: isTime, seenAt: isTime, expiresAt: isTime });
    expect(Date.parse(body.expiresAt) - Date.parse(body.seenAt)).toBe(LIMITS.workerTtlMsDefault);
    expect(await queue.worker('w')).toMatchObject(expected);
  });

  test('a worker says all there is to say, and again', async () => {
    const { http, queue } = await startApiOver(store);
    const said = {
      queues: ['q', 'r'],
      types: ['a'],
      host: 'h',
      pid: 7,
      version: '1',
      labels: { gpu: 'a100' },
    };
    const first = await http
      .put('/v1/workers/w')
      .send({ ...said, ttl: '30s' })
      .expect(200);
    expect(first.body).toMatchObject(said);
    expect(Date.parse(first.body.expiresAt) - Date.parse(first.body.seenAt)).toBe(30_000);
    const second = await http
      .put('/v1/workers/w')
      .send({ queues: ['q'] })
      .expect(200);
    expect(second.body).not.toHaveProperty('host');
    expect(second.body.registeredAt).toBe(first.body.registeredAt);
    expect((await queue.workers({ limit: 10 })).items).toHaveLength(1);
  });

  test('a worker is shown with what it runs and what became of what it ran', async () => {
    const { http, queue } = await startApiOver(store);
    await register(queue, 'w', { queues: ['q', 'r'] });
    await queue.enqueue(['q', 'q', 'r'].map((name) => ({ type: 'a', queue: name, payload: '1' })));
    await work(queue, 'q');
    const [inQ, inR] = [await leaseOne(queue, 'q'), await leaseOne(queue, 'r')];
    const { body } = await http.get('/v1/workers/w').expect(200);
    expect(body).toMatchObject({ id: 'w', running: 2, totals: { ...NO_TOTALS, completed: 1 } });
    expect(body.tasks.map(({ id }: { id: string }) => id).sort()).toEqual([inQ, inR].sort());
    expect(body.tasks[0]).toMatchObject({ state: 'running', workerId: 'w', startedAt: isTime });
    expect(body.tasks[0]).not.toHaveProperty('payload');
    const list = await http.get('/v1/workers').expect(200);
    const { tasks: _, ...listed } = body;
    expect(list.body).toEqual({ items: [listed], nextCursor: null });
  });

  test('workers are listed page by page, of a queue and with labels', async () => {
    const { http, queue } = await startApiOver(store);
    await register(queue, 'a', { labels: { gpu: 'a100', zone: 'eu' } });
    await register(queue, 'b', { queues: ['r'], labels: { gpu: 'a100' } });
    await register(queue, 'c');
    const ids = async (query: string) =>
      (await http.get(`/v1/workers?${query}`).expect(200)).body.items.map(({ id }: { id: string }) => id);
    const first = await http.get('/v1/workers?limit=2').expect(200);
    expect(first.body).toMatchObject({ items: [{ id: 'a' }, { id: 'b' }], nextCursor: 'b' });
    expect(await ids('limit=2&cursor=b')).toEqual(['c']);
    expect(await ids('queue=q')).toEqual(['a', 'c']);
    expect(await ids('labels=gpu%3Da100')).toEqual(['a', 'b']);
    expect(await ids('labels=gpu%3Da100,zone%3Deu')).toEqual(['a']);
  });

  test('a page ends early where its workers have many queues', async () => {
    const { http, queue } = await startApiOver(store);
    const queues = Array.from({ length: LIMITS.workerQueuesMax }, (_, i) => `q${i}`);
    for (const id of 'abcdefghi') await register(queue, id, { queues });
    const { body } = await http.get('/v1/workers').expect(200);
    expect(body.items).toHaveLength(7);
    expect((await http.get(`/v1/workers?cursor=${body.nextCursor}`).expect(200)).body).toMatchObject({
      items: [{ id: 'h' }, { id: 'i' }],
      nextCursor: null,
    });
  });

  test.each(['quiet', 'terminate'])('a worker is told to %s, and to go on', async (command) => {
    const { http, queue } = await startApiOver(store);
    await register(queue);
    const told = await http.post(`/v1/workers/w/${command}`).expect(200);
    expect(told.body).toMatchObject({ id: 'w', command });
    expect((await http.put('/v1/workers/w').send({ queues: ['q'] })).body.command).toBe(command);
    expect((await http.get('/v1/workers/w')).body.command).toBe(command);
    expect((await queue.worker('w'))!.command).toBe(command);
    const resumed = await http.post('/v1/workers/w/resume').expect(200);
    expect(resumed.body).not.toHaveProperty('command');
    expect((await queue.worker('w'))!.command).toBeUndefined();
  });

  test('a quiet worker is given no tasks, neither by a lease nor along with a settlement', async () => {
    const { http, queue } = await startApiOver(store);
    await register(queue);
    await queue.enqueue([
      { type: 'a', queue: 'q' },
      { type: 'a', queue: 'q' },
    ]);
    const lease = () => http.post('/v1/queues/q/lease').send({ workerId: 'w' });
    const [held] = (await lease().expect(200)).body.items;
    await http.post('/v1/workers/w/quiet').expect(200);
    await lease().expect(204);
    const { body } = await http
      .post('/v1/leases/settle')
      .send({
        settlements: [{ id: held.id, leaseToken: held.leaseToken, action: 'complete' }],
        next: { queue: 'q', workerId: 'w' },
      })
      .expect(200);
    expect(body).toMatchObject({ outcomes: [{ state: 'completed' }], lease: { items: [] } });
    await http.post('/v1/queues/q/lease').send({ workerId: 'other' }).expect(200);
    await queue.enqueue([{ type: 'a', queue: 'q' }]);
    await http.post('/v1/workers/w/resume').expect(200);
    await lease().expect(200);
  });

  test.each(['quiet', 'terminate'])(
    'a worker told to %s still finds what it had been given',
    async (command) => {
      const { http, queue } = await startApiOver(store);
      await register(queue);
      await queue.enqueue(['one', 'two', 'three'].map((key) => ({ type: 'a', queue: 'q', key })));
      const lease = (requestId: string, rest = {}) =>
        http.post('/v1/queues/q/lease').send({ workerId: 'w', requestId, ...rest });
      const settle = (requestId: string) =>
        http.post('/v1/leases/settle').send({
          settlements: [{ id: first.id, leaseToken: first.leaseToken, action: 'complete' }],
          next: { queue: 'q', workerId: 'w', requestId },
        });
      const [first] = (await lease('the-first-request').expect(200)).body.items;
      const [second] = (await settle('the-second-request').expect(200)).body.lease.items;
      await http.post(`/v1/workers/w/${command}`).expect(200);

      expect((await settle('the-second-request').expect(200)).body).toMatchObject({
        outcomes: [{ state: 'completed' }],
        lease: { items: [{ id: second.id, leaseToken: second.leaseToken, attempt: 1 }], more: false },
      });
      for (const rest of [{}, { max: 0 }, { wait: '20s' }]) {
        const { body } = await lease('the-second-request', rest).expect(200);
        expect(body).toMatchObject({ items: [{ id: second.id }], more: false });
      }
      await lease('another-request-').expect(204);
      const tasks = await queue.get(['q~one', 'q~two', 'q~three']);
      expect(tasks.map((task) => task?.state)).toEqual(['completed', 'running', 'pending']);
    },
  );

  test('a poll of a worker that is told to be quiet leaves the task to others', async () => {
    const { http, queue } = await startApiOver(store);
    await register(queue);
    let waits = 0;
    const begun = new Promise<void>((resolve) => {
      const { waitForWork } = queue;
      queue.waitForWork = (...args) => {
        waits += 1;
        if (waits === 1) resolve();
        return waitForWork.apply(queue, args);
      };
    });
    const poll = http
      .post('/v1/queues/q/lease')
      .send({ workerId: 'w', wait: '20s' })
      .then(({ status }) => status);
    await begun;
    await http.post('/v1/workers/w/quiet').expect(200);
    await queue.enqueue([{ type: 'a', queue: 'q' }]);
    expect(await poll).toBe(204);
    expect(await queue.waitForWork(['q'], 5_000)).toBe('q');
    await http.post('/v1/queues/q/lease').send({ workerId: 'other' }).expect(200);
  });

  test('a poll of a quiet worker goes on as one once the worker is to work again', async () => {
    const { http, queue } = await startApiOver(store);
    await register(queue);
    await queue.enqueue([{ type: 'a', queue: 'q' }]);
    await http.post('/v1/workers/w/quiet').expect(200);
    const poll = http.post('/v1/queues/q/lease').send({ workerId: 'w', wait: '60s' });
    const answered = poll.then(({ body }) => body);
    await http.post('/v1/workers/w/resume').expect(200);
    expect(await answered).toMatchObject({ items: [{ attempt: 1 }] });
  });

  test('a poll of a quiet worker that can be repeated is answered once the worker is to work again', async () => {
    const { http, queue } = await startApiOver(store);
    await register(queue);
    await queue.enqueue([{ type: 'a', queue: 'q' }]);
    await http.post('/v1/workers/w/quiet').expect(200);
    const ask = (requestId: string) =>
      http.post('/v1/queues/q/lease').send({ workerId: 'w', wait: '60s', requestId });
    const answered = ask('f3a91c0e7b2d4c58').then(({ status }) => status);
    await http.post('/v1/workers/w/resume').expect(200);
    expect(await answered).toBe(204);
    const { body } = await ask('0b6d5f7a91c84e23');
    expect(body).toMatchObject({ items: [{ attempt: 1 }] });
  });

  test('the heartbeat of leases says what is wanted of the worker it names', async () => {
    const { http, queue } = await startApiOver(store);
    await register(queue);
    await queue.enqueue([{ type: 'a', queue: 'q' }]);
    const { tasks } = await queue.lease({ queue: 'q', workerId: 'w', max: 1, leaseMs: 30_000 });
    const leases = tasks.map(({ id, leaseToken }) => ({ id, leaseToken }));
    const beat = (rest = {}) =>
      http
        .post('/v1/leases/heartbeat')
        .send({ leases, ...rest })
        .expect(200);
    expect((await beat({ workerId: 'w' })).body).not.toHaveProperty('command');
    await http.post('/v1/workers/w/terminate').expect(200);
    expect((await beat({ workerId: 'w' })).body).toMatchObject({ command: 'terminate', outcomes: [{}] });
    expect((await beat()).body).not.toHaveProperty('command');
    expect((await beat({ workerId: 'nobody' })).body).not.toHaveProperty('command');
  });

  test('a worker says goodbye, and what it has leased stays so', async () => {
    const { http, queue } = await startApiOver(store);
    await register(queue);
    await queue.enqueue([{ type: 'a', queue: 'q' }]);
    const id = await leaseOne(queue, 'q');
    await http.delete('/v1/workers/w').expect(204);
    expect(await queue.worker('w')).toBeUndefined();
    expect((await queue.get([id]))[0]).toMatchObject({ state: 'running', workerId: 'w' });
  });

  test.each([
    ['get', '/v1/workers/w'],
    ['delete', '/v1/workers/w'],
    ['post', '/v1/workers/w/quiet'],
    ['post', '/v1/workers/w/terminate'],
    ['post', '/v1/workers/w/resume'],
  ] as const)('%s %s is 404 worker-not-found where it is not registered', async (method, path) => {
    const { http, queue } = await startApiOver(store);
    const { body } = await http[method](path).expect(404);
    expect(body).toMatchObject({ code: 'worker-not-found' });
    expect([...(await queue.commands())]).toEqual([]);
  });
});

test.each<[object, string]>([
  [{}, '/queues'],
  [{ queues: [] }, '/queues'],
  [{ queues: ['a b'] }, '/queues/0'],
  [{ queues: ['q~1'] }, '/queues/0'],
  [{ queues: ['q'], types: [''] }, '/types/0'],
  [{ queues: ['q'], pid: -1 }, '/pid'],
  [{ queues: ['q'], host: 1 }, '/host'],
  [{ queues: ['q'], labels: { gpu: 1 } }, '/labels/gpu'],
  [{ queues: ['q'], labels: { 'g p u': 'x' } }, '/labels/g p u'],
  [{ queues: ['q'], ttl: '2h' }, '/ttl'],
  [{ queues: ['q'], gpu: 'a100' }, '/gpu'],
])('a registration with %j is refused and nothing is kept', async (said, pointer) => {
  const { http, queue } = await startApi();
  const { body } = await http.put('/v1/workers/w').send(said).expect(422);
  expect(body.errors).toEqual([{ pointer, detail: expect.any(String) }]);
  expect((await queue.workers({ limit: 10 })).items).toEqual([]);
});

test('an id that is none is refused', async () => {
  const { http } = await startApi();
  for (const send of [http.get('/v1/workers/a~b'), http.put('/v1/workers/a%20b').send({ queues: ['q'] })]) {
    expect((await send.expect(422)).body.errors).toMatchObject([{ pointer: '/workerId' }]);
  }
});

test.each(['limit=0', 'limit=1001', 'queue=a~1', 'labels=gpu', 'labels=', 'cursor=a~b', 'gpu=a100'])(
  'a list with %s is refused',
  async (query) => {
    const { http } = await startApi();
    const { body } = await http.get(`/v1/workers?${query}`).expect(422);
    expect(body.errors).toMatchObject([{ pointer: `/${query.split('=')[0]}` }]);
  },
);

test('a command with a body that would be ignored is refused', async () => {
  const { http, queue } = await startApi();
  await register(queue);
  await http.post('/v1/workers/w/quiet').send({ for: '5m' }).expect(422);
  expect((await queue.worker('w'))!.command).toBeUndefined();
});

test('the workers are counted by what is wanted of them', async () => {
  const { http, queue } = await startApi();
  for (const id of ['a', 'b', 'c']) await register(queue, id);
  await queue.tell('b', 'quiet');
  const { text } = await http.get('/metrics').expect(200);
  expect(text).toContain('fairlane_workers{state="working"} 2');
  expect(text).toContain('fairlane_workers{state="quiet"} 1');
  expect(text).toContain('fairlane_workers{state="terminating"} 0');
});

async function leaseOne(queue: Queue, name: string): Promise<string> {
  const { tasks } = await queue.lease({ queue: name, workerId: 'w', max: 1, leaseMs: 30_000 });
  return tasks[0]!.id;
}
