import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BULLMQ_CAPABILITIES, restrictQueue, routeQueue } from '@app/queue';
import { MemoryQueue } from '@app/queue/testing';
import { root } from '../../tools/lib/root.mjs';
import { closeApis, startApi, work } from './support.js';

afterEach(closeApis);

test('what one of two backends lacks is refused as docs/backends.md shows', async () => {
  const { http } = await startOverBoth();
  const task = { type: 't', orderingKey: 'o' };
  await http.post('/v1/tasks').send(task).expect(202);
  const { body } = await http
    .post('/v1/tasks')
    .send({ ...task, queue: 'm' })
    .expect(501);
  const page = readFileSync(join(root, 'docs/backends.md'), 'utf8');
  const [, shown] = [...page.matchAll(/```json\n([^]*?)```/g)].map(([, json]) => JSON.parse(json!) as object);
  expect(body).toMatchObject(shown!);
});

/** An API over two backends, one of which can do no more than BullMQ: it has the queues from `m` on. */
async function startOverBoth() {
  const backend = restrictQueue(new MemoryQueue(), BULLMQ_CAPABILITIES);
  const queue = routeQueue({ name: 'all', backend: new MemoryQueue() }, [
    { name: 'some', serves: (name) => name >= 'm', backend },
  ]);
  return startApi(queue);
}

describe('a list of all tasks', () => {
  const fill = async () => {
    const { queue, http } = await startOverBoth();
    for (const name of ['z', 'a', 'm', 'b']) {
      await queue.enqueue([1, 2, 3].map((n) => ({ type: 't', queue: name, key: `k${n}` })));
      await work(queue, name);
    }
    await queue.enqueue([{ type: 't', queue: 'a', key: 'k4', tenant: 'acme' }]);
    /** The ids of each page. */
    return async (query: string) => {
      const pages: string[][] = [];
      let cursor: string | null = '';
      do {
        const page = await http.get(`/v1/tasks?${query}${cursor && `&cursor=${cursor}`}`).expect(200);
        const { items, nextCursor } = page.body as { items: { id: string }[]; nextCursor: string | null };
        pages.push(items.map(({ id }) => id));
        cursor = nextCursor;
      } while (cursor !== null);
      return pages;
    };
  };
  const together = ['a~k1', 'a~k2', 'a~k3', 'a~k4', 'b~k1', 'b~k2', 'b~k3'];
  const byState = ['m~k2', 'm~k3', 'm~k1', 'z~k2', 'z~k3', 'z~k1'];

  it('is of all backends, state by state where one cannot list them together', async () => {
    const list = await fill();
    expect((await list('order=oldest')).flat()).toEqual([...together, ...byState]);
    expect((await list('order=oldest&limit=2')).flat()).toEqual([...together, ...byState]);
  });

  it('in one state is of all backends', async () => {
    const list = await fill();
    expect((await list('state=completed&limit=3')).flat()).toEqual(['a~k1', 'b~k1', 'm~k1', 'z~k1']);
  });

  it('of a tenant knows that where there are no tenants all is the default one’s', async () => {
    const list = await fill();
    expect((await list('tenant=acme')).flat()).toEqual(['a~k4']);
    expect((await list('tenant=default&state=pending&order=oldest')).flat()).toEqual(
      [...together, ...byState].filter((id) => !/k[14]$/.test(id)),
    );
  });
});

test('counts are of all backends', async () => {
  const { queue, http } = await startOverBoth();
  await queue.enqueue(['z', 'a', 'm'].map((name) => ({ type: 't', queue: name })));
  const { body: stats } = await http.get('/v1/stats').expect(200);
  expect(stats).toMatchObject({ queues: 3, states: { pending: 3 } });
  const { body: queues } = await http.get('/v1/queues').expect(200);
  expect(queues.items.map((item: { queue: string }) => item.queue)).toEqual(['a', 'm', 'z']);
  const { text } = await http.get('/metrics').expect(200);
  expect(text).toMatch(/fairlane_queue_tasks\{queue="z",state="pending"\} 1/);
  expect(text).toMatch(/fairlane_scrape_errors_total 0/);
});

test('what a worker does is shown of those queues whose backend knows', async () => {
  const { queue, http } = await startOverBoth();
  await queue.enqueue([
    { type: 't', queue: 'a' },
    { type: 't', queue: 'm' },
  ]);
  await http
    .put('/v1/workers/w')
    .send({ queues: ['a', 'm'] })
    .expect(200);
  for (const name of ['a', 'm']) await queue.lease({ queue: name, workerId: 'w', max: 1, leaseMs: 30_000 });
  const { body: list } = await http.get('/v1/workers').expect(200);
  expect(list.items).toMatchObject([{ id: 'w', running: 1 }]);
  const { body: worker } = await http.get('/v1/workers/w').expect(200);
  expect(worker.tasks).toMatchObject([{ queue: 'a' }]);
});

test('where the main backend knows no workers, scraping does not ask for them', async () => {
  const { http } = await startApi(restrictQueue(new MemoryQueue(), BULLMQ_CAPABILITIES));
  const { text } = await http.get('/metrics').expect(200);
  expect(text).toMatch(/fairlane_scrape_errors_total 0/);
});
