import type { Queue } from '@app/queue';
import { MemoryQueue } from '../../libs/queue/src/memory/memory-queue.js';
import { closeApis, startApi, startApiOver, STORES, work } from './support.js';

afterEach(closeApis);

const once = { maxAttempts: 1, backoff: 'fixed', delayMs: 0, maxDelayMs: 0, jitter: 'none' } as const;

/** Tasks that failed, in this order. */
const fail = async (queue: Queue, ...keys: string[]) => {
  for (const key of keys) {
    await queue.enqueue([{ type: key, queue: 'q', key, payload: '1', retry: once }]);
    await work(queue, 'q', { action: 'fail', error: { message: 'no' } });
  }
};

describe.each(STORES)('over %s', (store) => {
  test('failed tasks are listed page by page, the latest first, and others are not', async () => {
    const { http, queue } = await startApiOver(store);
    await fail(queue, 'a', 'b', 'c');
    await queue.enqueue([{ type: 'x', queue: 'q' }]);
    const list = async (query: string) => {
      const { body } = await http.get(`/v1/queues/q/dead?${query}`).expect(200);
      return { ids: body.items.map(({ id }: { id: string }) => id), cursor: body.nextCursor, body };
    };
    const first = await list('limit=2');
    expect(first.ids).toEqual(['q~c', 'q~b']);
    expect(first.body.items[0]).toMatchObject({ state: 'failed', failureReason: 'attempts-exhausted' });
    expect(first.body.items[0]).not.toHaveProperty('payload');
    expect((await list(`limit=2&cursor=${first.cursor}`)).ids).toEqual(['q~a']);
    expect((await list('order=oldest')).ids).toEqual(['q~a', 'q~b', 'q~c']);
    expect((await list('type=b&view=full')).body.items).toMatchObject([
      { id: 'q~b', payload: 1, errors: [{ message: 'no' }] },
    ]);
  });

  test('failed tasks are run again, those that failed first before the others', async () => {
    const { http, queue } = await startApiOver(store);
    await fail(queue, 'a', 'b', 'c');
    await http.post('/v1/queues/q/dead/retry').expect(200, { count: 3, more: false });
    await http.post('/v1/queues/q/dead/retry').send({}).expect(200, { count: 0, more: false });
    const { tasks } = await queue.lease({ queue: 'q', workerId: 'w', max: 10, leaseMs: 30_000 });
    expect(tasks.map(({ id, failures }) => [id, failures])).toEqual([
      ['q~a', 0],
      ['q~b', 0],
      ['q~c', 0],
    ]);
    await http.get('/v1/queues/q/dead').expect(200, { items: [], nextCursor: null });
  });

  test('failed tasks are removed, and others are not', async () => {
    const { http, queue } = await startApiOver(store);
    await fail(queue, 'a', 'b');
    await queue.enqueue([{ type: 'x', queue: 'q', key: 'x' }]);
    await http.post('/v1/queues/q/dead/purge').expect(200, { count: 2, more: false });
    await http.post('/v1/queues/q/dead/purge').expect(200, { count: 0, more: false });
    const found = await queue.get(['q~a', 'q~b', 'q~x']);
    expect(found.map((task) => task?.state)).toEqual([undefined, undefined, 'pending']);
  });

  test('any number of failed tasks is run again', async () => {
    const { http, queue } = await startApiOver(store);
    await queue.enqueue(Array.from({ length: 1_000 }, () => ({ type: 'a', queue: 'q', retry: once })));
    const { tasks } = await queue.lease({ queue: 'q', workerId: 'w', max: 1_000, leaseMs: 30_000 });
    await queue.settle(
      tasks.map(({ id, leaseToken }) => ({ id, leaseToken, action: 'fail', error: { message: 'no' } })),
    );
    await http.post('/v1/queues/q/dead/retry').expect(200, { count: 1_000, more: false });
    expect((await http.get('/v1/queues/q').expect(200)).body.states).toMatchObject({
      failed: 0,
      pending: 1_000,
    });
  });
});

test('one request runs a bounded number of tasks again and says that there are more', async () => {
  let slices = 0;
  const list = () => Promise.resolve({ items: [{ id: `q~${++slices}` }], nextCursor: 'more' });
  const retry = (ids: string[]) => Promise.resolve(ids.map((id) => ({ status: 'done', task: { id } })));
  const queue = Object.assign(new MemoryQueue(), { list, retry }) as unknown as Queue;
  const { http } = await startApi(queue);
  await queue.pause('q');
  await http.post('/v1/queues/q/dead/retry').expect(200, { count: 20, more: true });
});

test.each(['limit=0', 'state=failed', 'queue=q', 'order=first'])(
  'a list of failed tasks with %s is refused',
  async (query) => {
    const { http, queue } = await startApi();
    await queue.pause('q');
    const { body } = await http.get(`/v1/queues/q/dead?${query}`).expect(422);
    expect(body.errors).toMatchObject([{ pointer: `/${query.split('=')[0]}` }]);
  },
);
