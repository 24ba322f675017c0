import type { Queue } from '@app/queue';
import { closeApis, startApi, startApiOver, STORES, work } from './support.js';

afterEach(closeApis);

const submit = async (queue: Queue, ...tasks: Parameters<Queue['enqueue']>[0]) => {
  const outcomes = await queue.enqueue(tasks);
  return outcomes.map((outcome) => (outcome.status === 'refused' ? '' : outcome.task.id));
};

describe('getting a task', () => {
  test('shows what became of it', async () => {
    const { http, queue } = await startApi();
    const [id] = await submit(queue, {
      type: 'a',
      retry: { maxAttempts: 1, backoff: 'fixed', delayMs: 0, maxDelayMs: 0, jitter: 'none' },
    });
    await work(queue, 'default', {
      action: 'fail',
      error: { message: 'no', code: 'E1', details: { at: [1] } },
      logs: ['hello'],
    });
    const { body } = await http.get(`/v1/tasks/${id}`).expect(200);
    expect(body).toMatchObject({
      state: 'failed',
      failureReason: 'attempts-exhausted',
      attempt: 1,
      failures: 1,
      errors: [{ attempt: 1, message: 'no', code: 'E1', details: { at: [1] }, at: expect.any(String) }],
      finishedAt: expect.any(String),
    });
    const logs = await http.get(`/v1/tasks/${id}/logs`).expect(200);
    expect(logs.body).toEqual({ items: [{ attempt: 1, message: 'hello', at: expect.stringMatching(/Z$/) }] });
  });

  test.each([
    'a/b',
    'a%2Fb',
    '100%',
    'x?y=z',
    'x#y',
    '..',
    '.',
    'a;b',
    'a&b=c+d',
    '!$\'()*,:@[]{}|^`<>"\\',
    'x'.repeat(128),
    '%'.repeat(128),
  ])('works for the key %s, by the Location that was given', async (key) => {
    const { http, url } = await startApi();
    const posted = await http
      .post('/v1/tasks')
      .send({ type: 'a', queue: 'q'.repeat(64), id: key })
      .expect(202);
    const location = posted.headers['location']!;
    const got = await fetch(url + location).then((response) => response.json());
    expect(got).toMatchObject({ id: `${'q'.repeat(64)}~${key}` });
    await http.get(`${location}/logs`).expect(200);
    await http.post(`${location}/cancel`).expect(200);
  });

  test('that does not exist is 404, and an id of no form is 422', async () => {
    const { http } = await startApi();
    const missing = await http.get('/v1/tasks/emails~nope').expect(404);
    expect(missing.body).toMatchObject({ code: 'task-not-found', taskId: 'emails~nope' });
    expect((await http.get('/v1/tasks/emails').expect(422)).body.code).toBe('invalid-task-id');
    await http.get('/v1/tasks/emails~nope/logs').expect(404);
    await http.get('/v1/tasks/%zz').expect(400);
    await http.get(`/v1/tasks/a~${'x'.repeat(1_000)}`).expect(414);
  });

  test('answers 304 while nothing has changed', async () => {
    const { http, queue } = await startApi();
    const [id] = await submit(queue, { type: 'a' });
    const { headers } = await http.get(`/v1/tasks/${id}`).expect(200);
    const etag = headers['etag']!;
    const same = await http.get(`/v1/tasks/${id}`).set('If-None-Match', `"x", ${etag}`).expect(304);
    expect(same.text).toBe('');
    await work(queue, 'default');
    const changed = await http.get(`/v1/tasks/${id}`).set('If-None-Match', etag).expect(200);
    expect(changed.headers['etag']).not.toBe(etag);
  });

  test.each([
    ['?wait=10', {}],
    ['', { Prefer: 'wait=10' }],
  ])('with %s %j answers when it has ended', async (query, headers) => {
    const { http, queue } = await startApi();
    const [id] = await submit(queue, { type: 'a' });
    setTimeout(() => void work(queue, 'default', { action: 'complete', result: '[1]' }), 20);
    const { body } = await http.get(`/v1/tasks/${id}${query}`).set(headers).expect(200);
    expect(body).toMatchObject({ state: 'completed', result: [1] });
  });

  test.each(['-1', '61', 'soon', '1.5', '', '1e1', '1&wait=2'])('with ?wait=%s is refused', async (wait) => {
    const { http, queue } = await startApi();
    const [id] = await submit(queue, { type: 'a' });
    const { body } = await http.get(`/v1/tasks/${id}?wait=${wait}`).expect(422);
    expect(body.errors).toEqual([{ pointer: '/wait', detail: 'must be an integer from 0 to 60' }]);
  });
});

describe('listing tasks', () => {
  test('shows the newest of a queue first, without payloads', async () => {
    const { http, queue } = await startApi();
    const ids = await submit(queue, { type: 'a', payload: '1' }, { type: 'b', payload: '2' });
    const { body } = await http.get('/v1/tasks?queue=default').expect(200);
    expect(body.items.map(({ id }: { id: string }) => id)).toEqual(ids.reverse());
    expect(body.items[0]).not.toHaveProperty('payload');
    expect(body.nextCursor).toBeNull();
    const full = await http.get('/v1/tasks?queue=default&order=oldest&view=full').expect(200);
    expect(full.body.items.map(({ payload }: { payload: number }) => payload)).toEqual([1, 2]);
  });

  test('filters by state, type, tenant and tag', async () => {
    const { http, queue } = await startApi();
    await submit(queue, { type: 'a', tenant: 't', tags: ['x'] }, { type: 'b', delayMs: 10_000 });
    const count = async (query: string) =>
      (await http.get(`/v1/tasks?queue=default&${query}`).expect(200)).body.items.length;
    expect(
      await Promise.all(['state=pending', 'state=failed', 'type=b', 'tenant=t', 'tag=x', 'tag=y'].map(count)),
    ).toEqual([1, 0, 1, 1, 1, 0]);
  });

  test('without a queue goes through all of them in the order of their names, page by page', async () => {
    const { http, queue } = await startApi();
    const keys = ['b~1', 'b~2', 'b~3', 'a~1', 'd~1', 'd~2'];
    for (const id of keys) await submit(queue, { type: 'a', queue: id[0]!, key: id.slice(2) });
    const seen: string[][] = [];
    let cursor = '';
    do {
      const { body } = await http
        .get(`/v1/tasks?order=oldest&limit=2${cursor && `&cursor=${cursor}`}`)
        .expect(200);
      seen.push(body.items.map(({ id }: { id: string }) => id));
      cursor = body.nextCursor;
    } while (cursor);
    expect(seen.flat()).toEqual(['a~1', 'b~1', 'b~2', 'b~3', 'd~1', 'd~2']);
    expect(Math.max(...seen.map(({ length }) => length))).toBe(2);
  });

  test.each([
    ['limit=0', '/limit'],
    ['limit=1001', '/limit'],
    ['limit=1e9', '/limit'],
    ['limit=NaN', '/limit'],
    ['limit=-1', '/limit'],
    ['limit=5&limit=6', '/limit'],
    ['state=done', '/state'],
    ['order=', '/order'],
    ['view=all', '/view'],
    ['queue=a~b', '/queue'],
    ['foo=1', '/foo'],
    ['__proto__=1', '/__proto__'],
    ['a[__proto__][x]=1', '/a[__proto__][x]'],
    ['constructor=1', '/constructor'],
  ])('with %s is refused', async (query, pointer) => {
    const { http } = await startApi();
    const { body } = await http.get(`/v1/tasks?${query}`).expect(422);
    expect(body.errors.map((error: { pointer: string }) => error.pointer)).toEqual([pointer]);
  });

  test.each(['x', 'e30', 'bnVsbA', 'eyJxdWV1ZSI6ImF-YiJ9'])(
    'with the cursor %s is refused',
    async (cursor) => {
      const { http } = await startApi();
      expect((await http.get(`/v1/tasks?cursor=${cursor}`).expect(422)).body.code).toBe('invalid-cursor');
    },
  );
});

describe('cancelling and retrying', () => {
  test('cancels a waiting task at once, as often as one likes, and runs it again', async () => {
    const { http, queue } = await startApi();
    const [id] = await submit(queue, { type: 'a' });
    expect((await http.post(`/v1/tasks/${id}/cancel`).expect(200)).body.state).toBe('cancelled');
    expect((await http.post(`/v1/tasks/${id}/cancel`).send({}).expect(200)).body.state).toBe('cancelled');
    expect((await http.post(`/v1/tasks/${id}/retry`).expect(200)).body).toMatchObject({
      state: 'pending',
      attempt: 0,
    });
  });

  test('asks a running task to stop', async () => {
    const { http, queue } = await startApi();
    const [id] = await submit(queue, { type: 'a' });
    await queue.lease({ queue: 'default', workerId: 'w', max: 1, leaseMs: 30_000 });
    const { body } = await http.post(`/v1/tasks/${id}/cancel`).expect(200);
    expect(body).toMatchObject({ state: 'running', cancelRequested: true, workerId: 'w' });
  });

  test('is refused in a state that does not allow it, and for what does not exist', async () => {
    const { http, queue } = await startApi();
    const [id] = await submit(queue, { type: 'a' });
    const retry = await http.post(`/v1/tasks/${id}/retry`).expect(409);
    expect(retry.body).toMatchObject({ code: 'wrong-state', state: 'pending', taskId: id });
    await work(queue, 'default');
    expect((await http.post(`/v1/tasks/${id}/cancel`).expect(409)).body.state).toBe('completed');
    await http.post('/v1/tasks/default~nope/cancel').expect(404);
    await http.post('/v1/tasks/default~nope/retry').expect(404);
  });

  test('refuses a body that says something', async () => {
    const { http, queue } = await startApi();
    const [id] = await submit(queue, { type: 'a' });
    const { body } = await http.post(`/v1/tasks/${id}/cancel`).send({ reason: 'x' }).expect(422);
    expect(body.errors).toEqual([{ pointer: '/reason', detail: 'is not a known field' }]);
    expect((await queue.get([id!]))[0]?.state).toBe('pending');
  });
});

describe.each(STORES)('over %s', (store) => {
  describe('changing a task', () => {
    test('gives a pending one another priority, as often as one likes', async () => {
      const { http, queue } = await startApiOver(store);
      const [id] = await submit(queue, { type: 'a' });
      for (let round = 0; round < 2; round++) {
        const { body } = await http.patch(`/v1/tasks/${id}`).send({ priority: 'critical' }).expect(200);
        expect(body).toMatchObject({ id, state: 'pending', priority: 6, priorityName: 'critical' });
      }
      await submit(queue, { type: 'b', priority: 5 });
      expect(await work(queue, 'default')).toBe(id);
    });

    test('moves a scheduled one to another time, and one that has passed makes it pending', async () => {
      const { http, queue } = await startApiOver(store);
      const [id] = await submit(queue, { type: 'a', delayMs: 60_000 });
      const runAt = '2099-01-01T00:00:00.000Z';
      const later = await http.patch(`/v1/tasks/${id}`).send({ runAt, priority: 2 }).expect(200);
      expect(later.body).toMatchObject({ state: 'scheduled', runAt, priorityName: 'low' });
      const sooner = await http.patch(`/v1/tasks/${id}`).send({ delay: '2h' }).expect(200);
      expect(sooner.body.state).toBe('scheduled');
      expect(Date.parse(sooner.body.runAt)).toBeLessThan(Date.parse(runAt));
      const now = await http.patch(`/v1/tasks/${id}`).send({ runAt: '2001-01-01T00:00:00Z' }).expect(200);
      expect(now.body.state).toBe('pending');
      expect(now.body).not.toHaveProperty('runAt');
    });

    test.each<[string, unknown, string[]]>([
      ['nothing to change', {}, ['']],
      ['an unknown field', { payload: 1 }, ['/payload', '']],
      ['faults in both fields', { priority: 'urgent', delay: '1w' }, ['/priority', '/delay']],
      ['delay and runAt', { delay: 1, runAt: '2099-01-01T00:00:00Z' }, ['/runAt']],
      ['a list', [], ['']],
    ])('with %s is refused and changes nothing', async (_, change, pointers) => {
      const { http, queue } = await startApiOver(store);
      const [id] = await submit(queue, { type: 'a', delayMs: 60_000 });
      const before = await queue.get([id!]);
      const { body } = await http
        .patch(`/v1/tasks/${id}`)
        .send(change as object)
        .expect(422);
      for (const { pointer } of body.errors) expect(pointers).toContain(pointer);
      expect(body.errors[0].pointer).toBe(pointers[0]);
      expect(await queue.get([id!])).toEqual(before);
    });

    test('is refused in a state that does not allow it, and for what does not exist', async () => {
      const { http, queue } = await startApiOver(store);
      const [id] = await submit(queue, { type: 'a' });
      const pending = await http.patch(`/v1/tasks/${id}`).send({ delay: '1h', priority: 6 }).expect(409);
      expect(pending.body).toMatchObject({ code: 'wrong-state', state: 'pending', taskId: id });
      expect((await queue.get([id!]))[0]).toMatchObject({ state: 'pending', priority: 3 });
      await work(queue, 'default');
      const ended = await http.patch(`/v1/tasks/${id}`).send({ priority: 6 }).expect(409);
      expect(ended.body.state).toBe('completed');
      await http.patch('/v1/tasks/default~nope').send({ priority: 6 }).expect(404);
      await http.patch('/v1/tasks/nope').send({ priority: 6 }).expect(422);
      await http.patch(`/v1/tasks/${id}`).expect(400);
    });
  });

  describe('promoting a task', () => {
    test('makes a scheduled one pending, as often as one likes', async () => {
      const { http, queue } = await startApiOver(store);
      const [id] = await submit(queue, { type: 'a', delayMs: 60_000 });
      for (let round = 0; round < 2; round++) {
        const { body } = await http.post(`/v1/tasks/${id}/promote`).expect(200);
        expect(body).toMatchObject({ id, state: 'pending' });
      }
      expect(await work(queue, 'default')).toBe(id);
      expect((await http.post(`/v1/tasks/${id}/promote`).expect(409)).body.state).toBe('completed');
      await http.post('/v1/tasks/default~nope/promote').expect(404);
      await http.post(`/v1/tasks/${id}/promote`).send({ now: true }).expect(422);
    });
  });

  describe('removing a task', () => {
    test('forgets one that has ended', async () => {
      const { http, queue } = await startApiOver(store);
      const [id] = await submit(queue, { type: 'a' });
      const refused = await http.delete(`/v1/tasks/${id}`).expect(409);
      expect(refused.body).toMatchObject({ code: 'wrong-state', state: 'pending', taskId: id });
      await work(queue, 'default');
      await http.delete(`/v1/tasks/${id}`).send({ force: true }).expect(422);
      await http.get(`/v1/tasks/${id}`).expect(200);
      expect((await http.delete(`/v1/tasks/${id}`).expect(204)).text).toBe('');
      await http.get(`/v1/tasks/${id}`).expect(404);
      await http.delete(`/v1/tasks/${id}`).expect(404);
      expect((await http.get('/v1/tasks?queue=default').expect(200)).body.items).toEqual([]);
    });
  });

  test('of the tasks with one ordering key one runs at a time', async () => {
    const { http, queue } = await startApiOver(store);
    for (const id of ['one', 'two']) {
      const task = { type: 'a', queue: 'q', id, orderingKey: 'account-7' };
      expect((await http.post('/v1/tasks').send(task).expect(202)).body.orderingKey).toBe('account-7');
    }
    const lease = () => queue.lease({ queue: 'q', workerId: 'w', max: 10, leaseMs: 30_000 });
    const [first, ...others] = (await lease()).tasks;
    expect([first?.id, others]).toEqual(['q~one', []]);
    expect((await lease()).tasks).toEqual([]);
    await queue.settle([{ id: 'q~one', leaseToken: first!.leaseToken, action: 'complete' }]);
    expect((await lease()).tasks.map(({ id }) => id)).toEqual(['q~two']);
    expect((await http.get('/v1/tasks/q~two').expect(200)).body.orderingKey).toBe('account-7');
  });
});
