import { setTimeout as delay } from 'node:timers/promises';
import type { NewTask } from '@app/queue';
import { cutSockets, openSocket, type SocketClient } from '../support/socket.js';
import { closeApis, startApi, startApiOver, STORES, work } from './support.js';

afterEach(cutSockets);
afterEach(closeApis);

interface Told {
  name: string;
  data?: { id?: string; state?: string; result?: unknown; progress?: unknown; items?: { message: string }[] };
  position?: string;
}

/** What is told of something until a test has heard enough. */
const told = async (client: SocketClient, until: (event: Told) => boolean) => {
  const events: Told[] = [];
  do events.push((await client.next<Told>('event')).body);
  while (!until(events.at(-1)!));
  return events;
};

const states = (events: readonly Told[]) =>
  events.filter(({ name }) => name === 'state').map(({ data }) => `${data?.id} ${data?.state}`);

const task = (key: string, more: Partial<NewTask> = {}): NewTask => ({ type: 'a', queue: 'q', key, ...more });

describe.each(STORES)('over %s', (store) => {
  const opened = async () => {
    const api = await startApiOver(store);
    return { ...api, client: await openSocket(api.url) };
  };

  test('a task is followed from how it is to its end', async () => {
    const { client, queue } = await opened();
    await queue.enqueue([task('1')]);
    const following = await client.ask('follow-task', { id: 'q~1' });
    expect(following).toMatchObject({ type: 'following', requestId: '1' });
    const { tasks } = await queue.lease({ queue: 'q', workerId: 'w', max: 1, leaseMs: 30_000 });
    const { id, leaseToken } = tasks[0]!;
    await queue.extend([{ id, leaseToken, progress: '{"percent":5}', logs: ['hello'] }], 30_000);
    const first = await told(client, ({ name }) => name === 'logs');
    await queue.settle([{ id, leaseToken, action: 'complete', result: '7' }]);
    const events = [...first, ...(await told(client, ({ name }) => name === 'end'))];
    expect(events[0]).toMatchObject({
      name: 'task',
      data: { state: 'pending' },
      position: expect.any(String),
    });
    expect(states(events)).toEqual(['q~1 running', 'q~1 completed']);
    expect(events.find(({ name }) => name === 'progress')?.data).toMatchObject({ progress: { percent: 5 } });
    expect(events.find(({ name }) => name === 'logs')?.data?.items).toMatchObject([{ message: 'hello' }]);
    expect(events.at(-2)).toMatchObject({ name: 'task', data: { state: 'completed', result: 7 } });
    await client.ask('get', { id });
    expect(client.heard).toEqual([]);
  });

  test('queues are followed with filters, side by side, each by the id of its request', async () => {
    const { client, queue } = await opened();
    await client.ask('follow', { queue: 'q', state: 'completed' });
    await client.ask('follow', { queue: ['q', 'other'], tenant: 'acme' });
    await queue.enqueue([
      task('1'),
      task('2', { queue: 'other', tenant: 'acme' }),
      task('3', { queue: 'other' }),
    ]);
    await work(queue, 'q');
    const seen = new Map<string, string[]>();
    for (let n = 0; n < 2; n++) {
      const { requestId, body } = await client.next<Told>('event');
      seen.set(requestId!, states([body]));
    }
    expect(Object.fromEntries(seen)).toEqual({ 1: ['q~1 completed'], 2: ['other~2 pending'] });
  });

  test('who comes back with the position misses nothing', async () => {
    const { client, queue, url } = await opened();
    await client.ask('follow', { queue: 'q' });
    await queue.enqueue([task('1')]);
    const [{ position } = {}] = await told(client, () => true);
    client.cut();
    await queue.enqueue([task('2')]);
    const again = await openSocket(url);
    await again.ask('follow', { queue: 'q', lastEventId: position });
    await queue.enqueue([task('3')]);
    const events = await told(again, ({ data }) => data?.id === 'q~3');
    expect(states(events)).toEqual(['q~2 pending', 'q~3 pending']);
  });

  test('what is unfollowed is not told any more', async () => {
    const { client, queue, http } = await opened();
    await client.ask('follow', { queue: 'q' });
    await client.ask('follow', { queue: 'q' });
    expect(await client.ask('unfollow', { follow: '1' })).toMatchObject({ type: 'unfollowed' });
    await client.ask('unfollow', { follow: 'nothing' });
    await queue.enqueue([task('1')]);
    const { requestId } = await client.next('event');
    expect(requestId).toBe('2');
    await client.ask('get', { id: 'q~1' });
    expect(client.heard).toEqual([]);
    expect((await http.get('/metrics')).text).toContain('fairlane_event_followers{stream="all"} 1');
    client.cut();
    await client.closed;
    const followers = async () =>
      /event_followers{stream="all"} (\d)/.exec((await http.get('/metrics')).text)?.[1];
    while ((await followers()) !== '0') await delay(5);
  });
});

describe('following', () => {
  test.each<[string, string, object, string, string | null]>([
    ['a task that is not there', 'follow-task', { id: 'q~1' }, 'task-not-found', null],
    ['what is no task', 'follow-task', { id: 'q' }, 'invalid-request', '/id'],
    ['from a place that cannot be', 'follow', { lastEventId: 'x' }, 'invalid-position', null],
    ['a queue that cannot be', 'follow', { queue: ['a b'] }, 'invalid-request', '/queue/0'],
    ['a state there is not', 'follow', { state: 'lost' }, 'invalid-request', '/state'],
  ])('%s is refused, and nothing is told', async (_, type, body, code, pointer) => {
    const { url, queue, http } = await startApi();
    const client = await openSocket(url);
    const answer = await client.ask(type, body);
    expect(answer).toMatchObject({ type: 'problem', body: { code } });
    if (pointer !== null) expect(answer.body).toMatchObject({ errors: [{ pointer }] });
    await queue.enqueue([task('1')]);
    await client.ask('get', { id: 'q~1' });
    expect(client.heard).toEqual([]);
    expect((await http.get('/metrics')).text).not.toMatch(/event_followers{.*} [1-9]/);
  });

  test('needs an id, and one of its own', async () => {
    const { url } = await startApi();
    const client = await openSocket(url);
    client.ws.send('{"type":"follow","body":{}}');
    expect(await client.next('problem')).toMatchObject({ body: { code: 'malformed-message' } });
    await client.ask('follow', {});
    client.ws.send('{"type":"follow","requestId":"1","body":{}}');
    expect(await client.next('problem')).toMatchObject({
      requestId: '1',
      body: { code: 'malformed-message' },
    });
  });

  test('is bounded for each connection, and for the process', async () => {
    const { url } = await startApi(undefined, { followersMax: 150 });
    const [one, two] = [await openSocket(url), await openSocket(url)];
    const follow = (client: SocketClient, count: number) =>
      Promise.all(Array.from({ length: count }, () => client.ask('follow', { queue: 'q' })));
    const refused = (answers: { type: string; body: Record<string, unknown> }[]) =>
      answers.filter(({ type }) => type === 'problem').map(({ body }) => body['code']);
    expect(refused(await follow(one, 101))).toEqual(['too-many-waits']);
    expect(refused(await follow(two, 51))).toEqual(['too-many-followers']);
    await one.ask('unfollow', { follow: '1' });
    expect(refused(await follow(two, 1))).toEqual([]);
  });

  test('without reading has its connection cut', async () => {
    const { url, queue } = await startApi();
    const [client, reader] = [await openSocket(url), await openSocket(url)];
    await Promise.all(Array.from({ length: 99 }, () => client.ask('follow', { queue: 'q' })));
    await reader.ask('follow', { queue: 'q' });
    client.ws.pause();
    const followers = async () =>
      (await (await fetch(`${url}/metrics`)).text()).match(/event_followers{.*} (\d+)/)?.[1];
    // Each round is 25 MB. A system may take 40 MB of them for a connection that nobody reads.
    for (let round = 0; (await followers()) !== '1'; round += 1) {
      expect(round).toBeLessThan(10);
      await queue.enqueue(Array.from({ length: 1_000 }, (_, n) => task(`${round}-${n}`)));
      for (let read = 0; read < 1_000; read += 1) await reader.next('event');
    }
    client.ws.resume();
    expect(await client.closed).toBe(1006);
  }, 30_000);

  test('goes on elsewhere after a shutdown, which is no end', async () => {
    const { app, url, queue } = await startApi();
    await queue.enqueue([task('1')]);
    const client = await openSocket(url);
    await client.ask('follow-task', { id: 'q~1' });
    await client.next('event');
    await app.close();
    expect(await client.closed).toBe(1012);
    expect(client.heard).toEqual([]);
  });
});
