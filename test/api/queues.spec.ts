import { closeApis, startApi } from './support.js';

afterEach(closeApis);

test('a queue shows how much waits in it, the age of the oldest, and what was set', async () => {
  const { http, queue } = await startApi();
  await queue.enqueue([
    { type: 'a', queue: 'q' },
    { type: 'a', queue: 'q', delayMs: 60_000 },
  ]);
  const { body } = await http.get('/v1/queues/q').expect(200);
  expect(body).toEqual({
    queue: 'q',
    paused: false,
    draining: false,
    backlog: 2,
    states: expect.objectContaining({ pending: 1, scheduled: 1, failed: 0 }),
    oldestPendingAgeMs: expect.any(Number),
    nextDueInMs: expect.any(Number),
    settings: {},
  });
});

test('the statistics of a queue are by state, priority, type and minute', async () => {
  const { http, queue } = await startApi();
  await queue.enqueue([
    { type: 'a', queue: 'q', priority: 6 },
    { type: 'b', queue: 'q' },
    { type: 'b', queue: 'q', delayMs: 60_000 },
  ]);
  const { body } = await http.get('/v1/queues/q/stats').expect(200);
  expect(body).toMatchObject({
    queue: 'q',
    states: { pending: 2, scheduled: 1, failed: 0 },
    priorities: { critical: { pending: 1 }, normal: { pending: 1, scheduled: 1 }, low: { pending: 0 } },
    types: { a: { pending: 1 }, b: { pending: 1, scheduled: 1 } },
    oldestPendingAgeMs: expect.any(Number),
    minutes: expect.any(Array),
  });
  expect(body.waits).toHaveLength(17);
  expect(body.waits[0]).toEqual({ upToMs: 1, count: expect.any(Number) });
  expect(body.waits[16]).toEqual({ count: expect.any(Number) });
});

test('a queue that was never used is 404, and one whose name cannot be is 422, whatever is asked of it', async () => {
  const { http } = await startApi();
  const asked = (queue: string) => [
    http.get(`/v1/queues/${queue}`),
    http.get(`/v1/queues/${queue}/stats`),
    http.delete(`/v1/queues/${queue}`),
    http.post(`/v1/queues/${queue}/resume`),
    http.post(`/v1/queues/${queue}/purge`).send({ state: 'waiting' }),
    http.get(`/v1/queues/${queue}/tenants`),
    http.get(`/v1/queues/${queue}/tenants/acme`),
    http.delete(`/v1/queues/${queue}/tenants/acme`),
    http.post(`/v1/queues/${queue}/tenants/acme/resume`),
    http.get(`/v1/queues/${queue}/dead`),
    http.post(`/v1/queues/${queue}/dead/retry`),
    http.post(`/v1/queues/${queue}/dead/purge`),
  ];
  for (const one of asked('nope')) expect((await one.expect(404)).body.code).toBe('queue-not-found');
  for (const name of ['a~b', '%7Bx%7D', 'x'.repeat(65)]) {
    const others = [
      http.put(`/v1/queues/${name}`).send({}),
      http.post(`/v1/queues/${name}/pause`),
      http.post(`/v1/queues/${name}/drain`),
      http.put(`/v1/queues/${name}/tenants/acme`).send({}),
      http.post(`/v1/queues/${name}/tenants/acme/pause`),
    ];
    for (const one of [...asked(name), ...others]) {
      expect((await one.expect(422)).body).toMatchObject({
        code: 'invalid-request',
        errors: [{ pointer: '/queue' }],
      });
    }
  }
  await http.get('/v1/queues').expect(200, { items: [], nextCursor: null });
});

test('queues are listed by name, page by page', async () => {
  const { http, queue } = await startApi();
  await queue.enqueue(['c', 'a', 'b'].map((name) => ({ type: 't', queue: name })));
  const first = await http.get('/v1/queues?limit=2').expect(200);
  expect(first.body).toMatchObject({
    items: [{ queue: 'a', states: { pending: 1 }, oldestPendingAgeMs: expect.any(Number) }, { queue: 'b' }],
    nextCursor: 'b',
  });
  const second = await http.get('/v1/queues?limit=2&cursor=b').expect(200);
  expect(second.body).toMatchObject({ items: [{ queue: 'c' }], nextCursor: null });
  await http.get('/v1/queues?limit=0').expect(422);
  await http.get('/v1/queues?cursor=a~').expect(422);
});

test('statistics add up all queues', async () => {
  const { http, queue } = await startApi();
  await queue.enqueue(Array.from({ length: 250 }, (_, n) => ({ type: 't', queue: `q${n}` })));
  const { body } = await http.get('/v1/stats').expect(200);
  expect(body).toMatchObject({
    queues: 250,
    states: { pending: 250, failed: 0 },
    oldestPendingAgeMs: expect.any(Number),
  });
});

test('metrics show queues and requests by route', async () => {
  const { http, queue } = await startApi();
  await queue.enqueue([{ type: 't', queue: 'q', tenant: 'secret-tenant' }]);
  await http.get('/v1/tasks/q~x').expect(404);
  const { text } = await http
    .get('/metrics')
    .expect(200)
    .expect('content-type', /text\/plain/);
  expect(text).toContain('fairlane_queue_tasks{queue="q",state="pending"} 1');
  expect(text).toContain('route="/v1/tasks/:id",status="404"');
  expect(text).not.toContain('secret-tenant');
});

test('health says that the process lives, and how long a write and a read took', async () => {
  const { http } = await startApi();
  expect((await http.get('/health/live').expect(200)).body).toEqual({ status: 'ok' });
  const { body } = await http.get('/health/ready').expect(200);
  expect(body).toEqual({
    status: 'ok',
    checks: {
      store: {
        status: 'ok',
        durationMs: expect.any(Number),
        writeMs: expect.any(Number),
        readMs: expect.any(Number),
      },
    },
  });
});

test('the documentation is served from here, under a strict policy', async () => {
  const { http } = await startApi();
  const page = await http
    .get('/docs')
    .expect(200)
    .expect('content-type', /text\/html/);
  expect(page.headers['content-security-policy']).toContain("script-src 'self'");
  const scripts = [...page.text.matchAll(/(?:src|href)="(docs\/[^"]+)"/g)].map(([, path]) => path);
  expect(scripts).toHaveLength(4);
  for (const path of scripts) await http.get(`/${path}`).expect(200);
  await http.get('/docs/package.json').expect(404);
  await http.get('/docs/..%2Fpackage.json').expect(404);
});

test('what does not exist is 404, and a method that does not is 405 with those that do', async () => {
  const { http } = await startApi();
  expect((await http.get('/v2/tasks').expect(404)).body.code).toBe('route-not-found');
  const refused = await http.put('/v1/tasks/a~b').expect(405).expect('allow', 'DELETE, GET, HEAD, PATCH');
  expect(refused.body).toMatchObject({
    code: 'method-not-allowed',
    detail: 'Allowed: DELETE, GET, HEAD, PATCH.',
  });
  await http
    .options('/v1/tasks')
    .set('Origin', 'https://evil.example')
    .expect(405)
    .expect((answer) => {
      expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control-'))).toEqual([]);
    });
});

test('every answer carries an id, the caller’s own where it is harmless, and is not to be stored', async () => {
  const { http } = await startApi();
  const own = await http.get('/v1/stats').set('x-request-id', 'my-id.1').expect('x-request-id', 'my-id.1');
  expect(own.headers).toMatchObject({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
  const odd = await http.get('/nope').set('x-request-id', 'a b"<');
  expect(odd.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  expect(odd.body.requestId).toBe(odd.headers['x-request-id']);
});
