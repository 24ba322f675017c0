import type { Queue } from '@app/queue';
import { MemoryQueue } from '../../libs/queue/src/memory/memory-queue.js';
import { closeApis, startApi, startApiOver, STORES, work } from './support.js';

afterEach(closeApis);

const settings = {
  mode: 'fair',
  priority: { policy: 'strict', maxWait: { low: '30m', high: 1_500, very_low: null } },
  concurrency: 50,
  rate: { limit: 100, per: '1s', burst: 10 },
  backlog: 1_000,
  tenants: { weight: 3, concurrency: 5, rate: { limit: 2, per: '1m' }, backlog: 20 },
  partitions: 1,
};

const shown = {
  ...settings,
  priority: { policy: 'strict', maxWait: { low: 1_800_000, high: 1_500, very_low: null } },
  rate: { limit: 100, per: 1_000, burst: 10 },
  tenants: { ...settings.tenants, rate: { limit: 2, per: 60_000 } },
};

const stored = {
  ...settings,
  rate: { limit: 100, perMs: 1_000, burst: 10 },
  tenants: { ...settings.tenants, rate: { limit: 2, perMs: 60_000 } },
  priority: { policy: 'strict', maxWaitMs: { 2: 1_800_000, 4: 1_500, 1: null } },
};

describe.each(STORES)('over %s', (store) => {
  test('the settings of a queue are replaced as a whole, as often as one likes', async () => {
    const { http, queue } = await startApiOver(store);
    for (let round = 0; round < 2; round++) {
      const { body } = await http.put('/v1/queues/q').send(settings).expect(200);
      expect(body).toMatchObject({ queue: 'q', paused: false, backlog: 0 });
      expect(body.settings).toEqual(shown);
    }
    expect(await queue.settings('q')).toEqual(stored);
    expect((await http.get('/v1/queues/q').expect(200)).body.settings).toEqual(shown);
    // What is shown can be sent back.
    await http.put('/v1/queues/q').send(shown).expect(200);
    expect(await queue.settings('q')).toEqual(stored);

    await http.put('/v1/queues/q').send({ concurrency: 2 }).expect(200);
    expect(await queue.settings('q')).toEqual({ concurrency: 2 });
    expect((await http.put('/v1/queues/q').send({}).expect(200)).body.settings).toEqual({});
    expect((await http.get('/v1/queues').expect(200)).body.items).toMatchObject([{ queue: 'q' }]);
  });

  test.each([
    { policy: 'off' },
    { policy: 'weighted' },
    { policy: 'weighted', weights: { critical: 10, normal: 5 } },
    { policy: 'strict' },
  ])('the priority policy %j comes back as it was sent', async (priority) => {
    const { http } = await startApiOver(store);
    await http.put('/v1/queues/q').send({ priority }).expect(200);
    expect((await http.get('/v1/queues/q').expect(200)).body.settings).toEqual({ priority });
  });

  test('settings hold from the next lease on', async () => {
    const { http, queue } = await startApiOver(store);
    await queue.enqueue(Array.from({ length: 5 }, () => ({ type: 'a', queue: 'q' })));
    await http.put('/v1/queues/q').send({ concurrency: 2 }).expect(200);
    const lease = () => queue.lease({ queue: 'q', workerId: 'w', max: 10, leaseMs: 30_000 });
    expect((await lease()).tasks).toHaveLength(2);
    expect((await lease()).tasks).toEqual([]);
    await http.put('/v1/queues/q').send({}).expect(200);
    expect((await lease()).tasks).toHaveLength(3);
  });

  test('the mode cannot change while tasks wait or run', async () => {
    const { http, queue } = await startApiOver(store);
    await queue.enqueue([{ type: 'a', queue: 'q' }]);
    const { body } = await http.put('/v1/queues/q').send({ mode: 'fifo', concurrency: 7 }).expect(409);
    expect(body).toMatchObject({ code: 'queue-not-empty', status: 409 });
    expect(await queue.settings('q')).toEqual({});
    await work(queue, 'q');
    await http.put('/v1/queues/q').send({ mode: 'fifo' }).expect(200);
    expect(await queue.settings('q')).toEqual({ mode: 'fifo' });
  });

  test('an empty queue is deleted, with its settings and finished tasks', async () => {
    const { http, queue } = await startApiOver(store);
    await http.put('/v1/queues/q').send({ concurrency: 2 }).expect(200);
    await queue.enqueue([{ type: 'a', queue: 'q', key: 'x' }]);
    await work(queue, 'q');
    expect((await http.delete('/v1/queues/q').expect(204)).text).toBe('');
    await http.get('/v1/queues/q').expect(404);
    await http.get('/v1/tasks/q~x').expect(404);
    await http.get('/v1/queues').expect(200, { items: [], nextCursor: null });
    await http.delete('/v1/queues/q').expect(404);

    await http.post('/v1/tasks').send({ type: 'a', queue: 'q' }).expect(202);
    expect((await http.get('/v1/queues/q').expect(200)).body).toMatchObject({ backlog: 1, settings: {} });
  });

  test('a queue in which something waits or runs is not deleted', async () => {
    const { http, queue } = await startApiOver(store);
    await queue.enqueue([{ type: 'a', queue: 'q', key: 'x', delayMs: 60_000 }]);
    expect((await http.delete('/v1/queues/q').expect(409)).body.code).toBe('queue-not-empty');
    await http.post('/v1/tasks/q~x/promote').expect(200);
    await queue.lease({ queue: 'q', workerId: 'w', max: 1, leaseMs: 30_000 });
    expect((await http.delete('/v1/queues/q').expect(409)).body.code).toBe('queue-not-empty');
    await http.get('/v1/tasks/q~x').expect(200);
  });
});

test('a queue with more than one request can remove is deleted by repeating it', async () => {
  let left = 25;
  const deleteQueue = () => Promise.resolve({ count: 500, more: --left > 0 });
  const queue = Object.assign(new MemoryQueue(), { deleteQueue });
  const { http } = await startApi<Queue>(queue);
  await queue.pause('q');
  await http.delete('/v1/queues/q').expect(202, { count: 10_000, more: true });
  await http.delete('/v1/queues/q').expect(204);
  expect(left).toBe(0);
});

const rate = { limit: 1, per: '1s' };

/** What is wrong with each, and where the answer must point. */
const faulty: readonly (readonly [string, unknown, readonly string[]])[] = [
  ['an unknown field', { concurency: 1 }, ['/concurency']],
  ['another mode', { mode: 'lifo' }, ['/mode']],
  ['a policy by name alone', { priority: 'strict' }, ['/priority']],
  ['no policy', { priority: {} }, ['/priority/policy']],
  ['another policy', { priority: { policy: 'fair' } }, ['/priority/policy']],
  [
    'bounds that cannot be',
    { priority: { policy: 'strict', maxWait: { urgent: '1s', low: 'soon', high: null, 3: '1s' } } },
    ['/priority/maxWait/3', '/priority/maxWait/low', '/priority/maxWait/urgent'],
  ],
  ['a bound for all', { priority: { policy: 'strict', maxWait: '1s' } }, ['/priority/maxWait']],
  ['weights of a strict policy', { priority: { policy: 'strict', weights: {} } }, ['/priority/weights']],
  [
    'bounds of another policy',
    { priority: { policy: 'weighted', maxWait: {}, weights: { low: 0, high: 1.5, normal: null } } },
    ['/priority/maxWait', '/priority/weights/high', '/priority/weights/low', '/priority/weights/normal'],
  ],
  ['weights of no policy', { priority: { policy: 'off', weights: { low: 1 } } }, ['/priority/weights']],
  ['no slots', { concurrency: 0 }, ['/concurrency']],
  ['null for no limit', { concurrency: null, rate: null }, ['/concurrency', '/rate']],
  ['a rate as a number', { rate: 5 }, ['/rate']],
  ['a rate per nothing', { rate: { limit: 5 } }, ['/rate/per']],
  ['a rate of nothing', { rate: { per: '1s' } }, ['/rate/limit']],
  ['a rate as the engine has it', { rate: { limit: 1, perMs: 1 } }, ['/rate/per', '/rate/perMs']],
  [
    'a rate beyond its bounds',
    { rate: { limit: 1e6 + 1, per: '25h', burst: 0 } },
    ['/rate/burst', '/rate/limit', '/rate/per'],
  ],
  ['no room', { backlog: 0 }, ['/backlog']],
  [
    'faults of tenants',
    { tenants: { weight: 1_001, concurrency: '5', rate: { ...rate, zap: 1 }, backlog: -1, mode: 'fifo' } },
    ['/tenants/backlog', '/tenants/concurrency', '/tenants/mode', '/tenants/rate/zap', '/tenants/weight'],
  ],
  ['too many partitions', { partitions: 65 }, ['/partitions']],
  ['a list', [], ['']],
];

test.each(faulty)(
  'settings with %s are refused at the place, and nothing is set',
  async (_, body, pointers) => {
    const { http, queue } = await startApi();
    await queue.configure('q', { concurrency: 3 });
    const answer = await http
      .put('/v1/queues/q')
      .send(body as object)
      .expect(422);
    expect(answer.body.code).toBe('invalid-request');
    expect(answer.body.errors.map(({ pointer }: { pointer: string }) => pointer).sort()).toEqual(pointers);
    expect(await queue.settings('q')).toEqual({ concurrency: 3 });
  },
);

test('settings without a body are refused', async () => {
  const { http, queue } = await startApi();
  await queue.configure('q', { concurrency: 3 });
  expect((await http.put('/v1/queues/q').expect(400)).body.code).toBe('malformed-body');
  expect(await queue.settings('q')).toEqual({ concurrency: 3 });
});
