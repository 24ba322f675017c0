import type { Queue } from '@app/queue';
import { closeApis, startApi, startApiOver, STORES, work } from './support.js';

afterEach(closeApis);

const lease = (queue: Queue) => queue.lease({ queue: 'q', workerId: 'w', max: 10, leaseMs: 30_000 });

describe.each(STORES)('over %s', (store) => {
  test('a tenant shows what it has waiting and running, and its own settings', async () => {
    const { http, queue } = await startApiOver(store);
    await queue.enqueue([
      { type: 'a', queue: 'q', tenant: 'acme' },
      { type: 'a', queue: 'q', tenant: 'acme' },
      { type: 'a', queue: 'q', tenant: 'acme', delayMs: 60_000 },
    ]);
    await queue.lease({ queue: 'q', workerId: 'w', max: 1, leaseMs: 30_000 });
    await http.put('/v1/queues/q/tenants/acme').send({ weight: 2 }).expect(200);
    const { body } = await http.get('/v1/queues/q/tenants/acme').expect(200);
    expect(body).toEqual({
      tenant: 'acme',
      paused: false,
      backlog: 2,
      running: 1,
      oldestPendingAgeMs: expect.any(Number),
      startedThisMinute: expect.any(Number),
      startedLastMinute: expect.any(Number),
      waits: expect.any(Array),
      settings: { weight: 2 },
    });
    expect(body.startedThisMinute + body.startedLastMinute).toBe(1);
    expect(body.waits).toHaveLength(17);
    const waited = body.waits.map(({ count }: { count: number }) => count);
    expect(waited.reduce((sum: number, count: number) => sum + count, 0)).toBe(1);
  });

  test('one that never had a task has nothing', async () => {
    const { http, queue } = await startApiOver(store);
    await queue.enqueue([{ type: 'a', queue: 'q' }]);
    const { body } = await http.get('/v1/queues/q/tenants/nobody').expect(200);
    expect(body).toMatchObject({ tenant: 'nobody', paused: false, backlog: 0, running: 0, settings: {} });
    expect(body).not.toHaveProperty('oldestPendingAgeMs');
  });

  test('tenants are listed page by page, those with many open tasks first', async () => {
    const { http, queue } = await startApiOver(store);
    const tenants = ['a', 'b', 'b', 'b', 'b', 'c', 'c'];
    await queue.enqueue(tenants.map((tenant) => ({ type: 'a', queue: 'q', tenant })));
    await http.post('/v1/queues/q/tenants/paused/pause').expect(200);
    const first = await http.get('/v1/queues/q/tenants?limit=2').expect(200);
    expect(first.body.items).toMatchObject([
      { tenant: 'b', backlog: 4 },
      { tenant: 'c', backlog: 2 },
    ]);
    const cursor = encodeURIComponent(first.body.nextCursor);
    const second = await http.get(`/v1/queues/q/tenants?limit=2&cursor=${cursor}`).expect(200);
    expect(second.body.items).toMatchObject([
      { tenant: 'a', backlog: 1 },
      { tenant: 'paused', paused: true, backlog: 0 },
    ]);
    const rest = second.body.nextCursor
      ? (await http.get(`/v1/queues/q/tenants?cursor=${encodeURIComponent(second.body.nextCursor)}`)).body
      : second.body;
    expect(rest.nextCursor).toBeNull();
    expect((await http.get('/v1/queues/q/tenants?cursor=%20x').expect(422)).body.code).toBe('invalid-cursor');
  });

  test('settings of a tenant are replaced as a whole, and given back to the queue', async () => {
    const { http, queue } = await startApiOver(store);
    const own = { weight: 2, concurrency: 3, rate: { limit: 5, per: '1m', burst: 1 }, backlog: 9 };
    const shown = { ...own, rate: { limit: 5, per: 60_000, burst: 1 } };
    for (let round = 0; round < 2; round++) {
      const { body } = await http.put('/v1/queues/q/tenants/acme').send(own).expect(200);
      expect(body).toMatchObject({ tenant: 'acme', backlog: 0 });
      expect(body.settings).toEqual(shown);
    }
    const stored = { ...own, rate: { limit: 5, perMs: 60_000, burst: 1 } };
    expect((await queue.tenant('q', 'acme')).settings).toEqual(stored);
    await http.get('/v1/queues/q').expect(200);

    await http.put('/v1/queues/q/tenants/acme').send({ concurrency: 1 }).expect(200);
    expect((await queue.tenant('q', 'acme')).settings).toEqual({ concurrency: 1 });
    for (let round = 0; round < 2; round++) {
      expect((await http.delete('/v1/queues/q/tenants/acme').expect(204)).text).toBe('');
    }
    expect((await queue.tenant('q', 'acme')).settings).toEqual({});
    expect((await http.get('/v1/queues/q/tenants').expect(200)).body.items).toEqual([]);
  });

  test('what a tenant does not set is as for every tenant of the queue', async () => {
    const { http, queue } = await startApiOver(store);
    await http
      .put('/v1/queues/q')
      .send({ tenants: { concurrency: 1 } })
      .expect(200);
    await http.put('/v1/queues/q/tenants/acme').send({ concurrency: 2 }).expect(200);
    await queue.enqueue(
      ['acme', 'acme', 'acme', 'other', 'other'].map((tenant) => ({ type: 'a', queue: 'q', tenant })),
    );
    const taken = (await lease(queue)).tasks.map(({ tenant }) => tenant).sort();
    expect(taken).toEqual(['acme', 'acme', 'other']);
  });

  test('a paused tenant starts nothing until it is resumed, while others go on', async () => {
    const { http, queue } = await startApiOver(store);
    for (let round = 0; round < 2; round++) {
      const { body } = await http.post('/v1/queues/q/tenants/acme/pause').expect(200);
      expect(body).toMatchObject({ tenant: 'acme', paused: true });
    }
    await queue.enqueue(['acme', 'other'].map((tenant) => ({ type: 'a', queue: 'q', tenant })));
    expect((await lease(queue)).tasks.map(({ tenant }) => tenant)).toEqual(['other']);
    expect((await http.get('/v1/queues/q').expect(200)).body.paused).toBe(false);
    for (let round = 0; round < 2; round++) {
      const { body } = await http.post('/v1/queues/q/tenants/acme/resume').expect(200);
      expect(body.paused).toBe(false);
    }
    expect((await lease(queue)).tasks.map(({ tenant }) => tenant)).toEqual(['acme']);
  });

  test.each(['user:1', 'a/b', 'a@b', '%', '?x=1', '#', '%2F', '!$&\'()*+,;=[]{}|^`<>\\"', 'x'.repeat(128)])(
    'the tenant %s is found by its name',
    async (tenant) => {
      const { http, queue } = await startApiOver(store);
      const path = `/v1/queues/q/tenants/${encodeURIComponent(tenant)}`;
      const { body } = await http.put(path).send({ weight: 7 }).expect(200);
      expect(body).toMatchObject({ tenant, settings: { weight: 7 } });
      expect((await queue.tenant('q', tenant)).settings).toEqual({ weight: 7 });
      await http.post(`${path}/pause`).expect(200);
      const { items } = (await http.get('/v1/queues/q/tenants').expect(200)).body;
      expect(items).toMatchObject([{ tenant, paused: true, settings: { weight: 7 } }]);
      expect((await http.post(`${path}/resume`).expect(200)).body.paused).toBe(false);
      await http.delete(path).expect(204);
      expect((await http.get(path).expect(200)).body.settings).toEqual({});
    },
  );

  test('a tenant whose tasks have ended is listed no more', async () => {
    const { http, queue } = await startApiOver(store);
    await queue.enqueue([{ type: 'a', queue: 'q', tenant: 'acme' }]);
    expect((await http.get('/v1/queues/q/tenants').expect(200)).body.items).toHaveLength(1);
    await work(queue, 'q');
    await http.get('/v1/queues/q/tenants').expect(200, { items: [], nextCursor: null });
  });
});

test.each(['a%20b', 'a~b', '%C3%BC', 'x'.repeat(129)])('the tenant %s cannot be', async (tenant) => {
  const { http } = await startApi();
  const path = `/v1/queues/q/tenants/${tenant}`;
  const asked = [
    http.get(path),
    http.put(path).send({ weight: 1 }),
    http.delete(path),
    http.post(`${path}/pause`),
    http.post(`${path}/resume`),
  ];
  for (const one of asked)
    expect((await one.expect(422)).body).toMatchObject({
      code: 'invalid-request',
      errors: [{ pointer: '/tenant' }],
    });
  await http.get('/v1/queues/q').expect(404);
});

test.each<[string, unknown, string[]]>([
  ['an unknown field', { weigth: 2 }, ['/weigth']],
  ['what only queues have', { mode: 'fifo', tenants: {} }, ['/mode', '/tenants']],
  ['no weight', { weight: 0 }, ['/weight']],
  [
    'every field wrong',
    { weight: 1_001, concurrency: 0, rate: { limit: 1, per: 0 }, backlog: 1e9 },
    ['/backlog', '/concurrency', '/rate/per', '/weight'],
  ],
  ['a list', [], ['']],
])('settings of a tenant with %s are refused, and nothing is set', async (_, body, pointers) => {
  const { http, queue } = await startApi();
  await queue.configureTenant('q', 'acme', { weight: 5 });
  const answer = await http
    .put('/v1/queues/q/tenants/acme')
    .send(body as object)
    .expect(422);
  expect(answer.body.errors.map(({ pointer }: { pointer: string }) => pointer).sort()).toEqual(pointers);
  expect((await queue.tenant('q', 'acme')).settings).toEqual({ weight: 5 });
});

test.each(['limit=0', 'limit=1001', 'limit=x', 'state=pending'])(
  'a list of tenants with %s is refused',
  async (query) => {
    const { http, queue } = await startApi();
    await queue.pause('q');
    const { body } = await http.get(`/v1/queues/q/tenants?${query}`).expect(422);
    expect(body.errors).toMatchObject([{ pointer: `/${query.split('=')[0]}` }]);
  },
);
