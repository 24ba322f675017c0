import { once } from 'node:events';
import { connect } from 'node:net';
import { createMetrics } from '@app/runtime';
import { LIMITS, type EventFollower, type EventSelection, type LeasedTask, type Queue } from '@app/queue';
import { MemoryQueue } from '../../libs/queue/src/memory/memory-queue.js';
import { follow, type EventReader, type ReceivedEvent } from '../support/events.js';
import { until } from '../support/until.js';
import { closeApis, startApi, startApiOver, STORES, work } from './support.js';

const readers: EventReader[] = [];

afterEach(async () => {
  for (const reader of readers.splice(0)) reader.leave();
  await closeApis();
});

const open = async (url: string, headers?: Record<string, string>) => {
  const reader = await follow(url, headers);
  readers.push(reader);
  return reader;
};

const submit = (queue: Queue, key: string, task: object = {}) =>
  queue.enqueue([{ type: 'a', queue: 'q', key, ...task }]);

const lease = async (queue: Queue): Promise<LeasedTask> =>
  (await queue.lease({ queue: 'q', workerId: 'w', max: 1, leaseMs: 30_000 })).tasks[0]!;

const states = (events: ReceivedEvent[]) =>
  events.map(({ data }) => `${String(data.id)} ${String(data.state)}`);

describe.each(STORES)('over %s', (store) => {
  describe('a task', () => {
    test('is shown as it is, followed through all that happens, and shown as it ended', async () => {
      const { url, queue } = await startApiOver(store);
      await submit(queue, 'k');
      const reader = await open(`${url}/v1/tasks/q~k/events`);
      expect(reader.response.status).toBe(200);
      expect(reader.response.headers).toMatchObject({
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
        'x-request-id': expect.any(String),
      });
      expect(await reader.next()).toMatchObject({
        event: 'task',
        id: expect.any(String),
        data: { state: 'pending' },
      });

      const { id, leaseToken } = await lease(queue);
      await queue.extend([{ id, leaseToken, progress: '{\n"percent": 40 }' }], 30_000);
      const reported = await reader.take(2);
      await queue.extend([{ id, leaseToken, logs: ['one\ntwo', 'three'] }], 30_000);
      await queue.settle([{ id, leaseToken, action: 'complete', result: '{"sent":1}' }]);
      const rest = await reader.rest();
      expect([...reported, ...rest].map(({ event }) => event)).toEqual([
        'state',
        'progress',
        'logs',
        'state',
        'task',
      ]);
      const common = { id: 'q~k', queue: 'q', attempt: 1, at: expect.stringMatching(/^\d{4}-.*Z$/) };
      expect(reported.map(({ data }) => data)).toEqual([
        { ...common, state: 'running', type: 'a', tenant: 'default' },
        { ...common, progress: { percent: 40 } },
      ]);
      expect(rest[0]!.data).toEqual({
        ...common,
        items: ['one\ntwo', 'three'].map((message) => ({ attempt: 1, at: expect.any(String), message })),
      });
      expect(rest[1]!.data).toMatchObject({ state: 'completed' });
      expect(rest[2]!.data).toMatchObject({ state: 'completed', result: { sent: 1 } });
    });

    test('that has ended is shown, and whoever comes back after its end is told not to', async () => {
      const { url, queue } = await startApiOver(store);
      await submit(queue, 'k');
      await work(queue, 'q');
      const path = `${url}/v1/tasks/q~k/events`;
      const reader = await open(path);
      expect((await reader.rest()).map(({ event }) => event)).toEqual(['task']);
      const again = await open(path, { 'last-event-id': reader.lastEventId! });
      expect(again.response.status).toBe(204);
      expect((await fetch(`${path}?lastEventId=${reader.lastEventId}`)).status).toBe(204);
      const early = await open(path, { 'last-event-id': '1-0' });
      expect((await early.rest()).at(-1)).toMatchObject({ event: 'task', data: { state: 'completed' } });
    });

    test('is gone on with where a client broke off, without being shown again', async () => {
      const { url, queue } = await startApiOver(store);
      await submit(queue, 'k');
      const path = `${url}/v1/tasks/q~k/events`;
      const reader = await open(path);
      await reader.next();
      const { id, leaseToken } = await lease(queue);
      await reader.next();
      reader.leave();
      await queue.extend([{ id, leaseToken, logs: ['while away'] }], 30_000);
      const again = await open(path, { 'last-event-id': reader.lastEventId! });
      expect((await again.next()).data).toMatchObject({ items: [{ message: 'while away' }] });
      await queue.settle([{ id, leaseToken, action: 'complete' }]);
      expect((await again.rest()).map(({ event }) => event)).toEqual(['state', 'task']);
    });
  });

  describe('a queue', () => {
    test('tells the states of its tasks, by filter', async () => {
      const { url, queue } = await startApiOver(store);
      await submit(queue, 'first');
      const all = await open(`${url}/v1/queues/q/events`);
      const ended = await open(`${url}/v1/queues/q/events?state=completed&state=failed`);
      const acme = await open(`${url}/v1/queues/q/events?tenant=acme&type=b`);
      await work(queue, 'q');
      await submit(queue, 'second', { tenant: 'acme', type: 'b' });
      await work(queue, 'q', { action: 'fail', error: { message: 'x' }, retryable: false });
      expect(states(await all.take(5))).toEqual([
        'q~first running',
        'q~first completed',
        'q~second pending',
        'q~second running',
        'q~second failed',
      ]);
      expect(states(await ended.take(2))).toEqual(['q~first completed', 'q~second failed']);
      expect(states(await acme.take(3))).toEqual(['q~second pending', 'q~second running', 'q~second failed']);
    });

    test('is gone on with where a client broke off', async () => {
      const { url, queue } = await startApiOver(store);
      await submit(queue, 'a');
      const reader = await open(`${url}/v1/queues/q/events`);
      await submit(queue, 'b');
      await reader.next();
      reader.leave();
      await submit(queue, 'c');
      await submit(queue, 'd');
      const id = reader.lastEventId!;
      for (const again of [
        await open(`${url}/v1/queues/q/events`, { 'last-event-id': id }),
        await open(`${url}/v1/queues/q/events?lastEventId=${id}`),
        // The header goes first: an EventSource keeps its URL.
        await open(`${url}/v1/queues/q/events?lastEventId=1-0`, { 'last-event-id': id }),
      ]) {
        expect(states(await again.take(2))).toEqual(['q~c pending', 'q~d pending']);
      }
    });

    test('is gone on with even by one who was told nothing', async () => {
      const { url, queue } = await startApiOver(store);
      await submit(queue, 'a');
      const reader = await open(`${url}/v1/queues/q/events?tenant=nobody`);
      // What a stream begins with has a position.
      void reader.next().catch(() => undefined);
      while (reader.lastEventId === undefined) await new Promise(setImmediate);
      await submit(queue, 'b', { tenant: 'nobody' });
      const again = await open(`${url}/v1/queues/q/events?tenant=nobody`, {
        'last-event-id': reader.lastEventId,
      });
      expect(states([await again.next()])).toEqual(['q~b pending']);
    });

    test('tells of a gap first where it does not keep what was missed', async () => {
      const { url, queue } = await startApiOver(store);
      await submit(queue, 'a');
      const reader = await open(`${url}/v1/queues/q/events`);
      await submit(queue, 'b');
      await reader.next();
      reader.leave();
      for (let i = 0; i < LIMITS.eventsKept + 300; i += 1) await submit(queue, `k${i}`);
      const again = await open(`${url}/v1/queues/q/events`, { 'last-event-id': reader.lastEventId! });
      expect(await again.next()).toEqual({ event: 'gap', data: {} });
      expect((await again.next()).event).toBe('state');
    }, 20_000);
  });

  describe('all queues', () => {
    test('tell their states, or only those that are named', async () => {
      const { url, queue } = await startApiOver(store);
      await submit(queue, 'a');
      const all = await open(`${url}/v1/events`);
      const named = await open(`${url}/v1/events?queue=r&queue=s&state=pending`);
      await submit(queue, 'b');
      await submit(queue, 'c', { queue: 'r' });
      const seen = [await all.next(), await all.next()];
      expect(states(seen).sort()).toEqual(['q~b pending', 'r~c pending']);
      expect(states([await named.next()])).toEqual(['r~c pending']);
      named.leave();
      await submit(queue, 'd', { queue: 's' });
      const again = await open(`${url}/v1/events?queue=r&queue=s`, { 'last-event-id': named.lastEventId! });
      await again.find(({ data }) => data.id === 's~d');
    });
  });
});

describe('a stream is refused', () => {
  test.each([
    ['of a task that there is not', '/v1/tasks/q~nobody/events', 404, 'task-not-found'],
    ['of what is no task', '/v1/tasks/nobody/events', 422, 'invalid-task-id'],
    ['of a queue that there is not', '/v1/queues/nobody/events', 404, 'queue-not-found'],
    ['of what is no queue', '/v1/queues/a~b/events', 422, 'invalid-request'],
    ['with a filter that there is not', '/v1/queues/q/events?colour=red', 422, 'invalid-request'],
    ['with a queue as a filter of a queue', '/v1/queues/q/events?queue=q', 422, 'invalid-request'],
    ['with a state that there is not', '/v1/queues/q/events?state=done', 422, 'invalid-request'],
    ['with one bad value of two', '/v1/events?tenant=a&tenant=b%20c', 422, 'invalid-request'],
    ['with a state of a task', '/v1/tasks/q~k/events?state=failed', 422, 'invalid-request'],
    ['with a position that is none', '/v1/events?lastEventId=yesterday', 422, 'invalid-position'],
    [
      'of a task, with a position that is none',
      '/v1/tasks/q~k/events?lastEventId=1',
      422,
      'invalid-position',
    ],
  ])('%s', async (_, path, status, code) => {
    const { url, queue } = await startApi();
    await submit(queue, 'k');
    const answer = await fetch(url + path);
    expect(answer.headers.get('content-type')).toMatch('application/problem+json');
    expect([answer.status, await answer.json()]).toEqual([status, expect.objectContaining({ code })]);
  });

  test('with a Last-Event-ID that is none', async () => {
    const { url } = await startApi();
    const answer = await fetch(`${url}/v1/events`, { headers: { 'last-event-id': "'; --" } });
    expect([answer.status, await answer.json()]).toEqual([
      422,
      expect.objectContaining({ code: 'invalid-position' }),
    ]);
  });

  test('without a key', async () => {
    const { url } = await startApi(undefined, { apiKeys: ['key-of-this-test'] });
    expect((await fetch(`${url}/v1/events`)).status).toBe(401);
    const reader = await open(`${url}/v1/events`, { authorization: 'Bearer key-of-this-test' });
    expect(reader.response.status).toBe(200);
  });

  test('beyond the number that this process serves, until one has left', async () => {
    const { url } = await startApi(undefined, { followersMax: 1 });
    const first = await open(`${url}/v1/events`);
    const refused = await fetch(`${url}/v1/events`);
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await refused.json()).toMatchObject({ code: 'too-many-followers' });
    first.leave();
    while ((await open(`${url}/v1/events`)).response.status !== 200);
  });
});

test('HEAD answers what GET would, and ends', async () => {
  const { url, queue } = await startApi();
  await submit(queue, 'k');
  for (const path of ['/v1/tasks/q~k/events', '/v1/queues/q/events', '/v1/events']) {
    const answer = await fetch(url + path, { method: 'HEAD' });
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
  }
  expect((await fetch(`${url}/v1/queues/nobody/events`, { method: 'HEAD' })).status).toBe(404);
});

test('a reader that does not read is cut, and others are not', async () => {
  const metrics = createMetrics();
  const followers: EventFollower[] = [];
  class Talkative extends MemoryQueue {
    override async follow(_: EventSelection, follower: EventFollower) {
      followers.push(follower);
      return { position: '1-0', stop: () => undefined };
    }
  }
  const { url, port } = await startApi(new Talkative(), {}, { metrics });
  const other = await open(`${url}/v1/events`);
  const slow = connect(port, '127.0.0.1');
  slow.write('GET /v1/events HTTP/1.1\r\nhost: x\r\n\r\n');
  await once(slow, 'readable');
  while (followers.length < 2) await new Promise(setImmediate);
  const event = { kind: 'pending', at: 0, queue: 'q', attempt: 0, type: 'a', tenant: 'b' } as const;
  const tell = (count: number) => {
    const events = Array.from({ length: count }, (__, i) => ({ ...event, taskId: `q~${i}` }));
    for (const follower of followers) void follower.onEvents(events, '2-0');
  };
  while ((await metrics.render()).includes('fairlane_event_followers{stream="all"} 2')) {
    tell(1_000);
    await other.take(1_000);
  }
  expect(await metrics.render()).toContain('fairlane_event_followers_cut_total{stream="all"} 1');
  tell(1);
  expect(states([await other.next()])).toEqual(['q~0 pending']);
  slow.destroy();
}, 30_000);

test('a client that leaves is forgotten', async () => {
  const metrics = createMetrics();
  const { url } = await startApi(undefined, {}, { metrics });
  const reader = await open(`${url}/v1/events`);
  expect(await metrics.render()).toContain('fairlane_event_followers{stream="all"} 1');
  reader.leave();
  await until(async () => (await metrics.render()).includes('fairlane_event_followers{stream="all"} 0'));
});

test('a shutdown ends all streams at once', async () => {
  const { app, url, queue } = await startApi();
  await submit(queue, 'k');
  const paths = ['/v1/tasks/q~k/events', '/v1/queues/q/events', '/v1/events'];
  const all = await Promise.all(paths.map((path) => open(url + path)));
  const closing = app.close();
  const ends = await Promise.all(all.map((reader) => reader.rest()));
  expect(ends.map((events) => events.length)).toEqual([1, 0, 0]);
  await closing;
});
