import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { post } from '../support/client.js';
import { type EventReader, follow, type ReceivedEvent } from '../support/events.js';
import { type AppProcess, killLeftovers, startApi } from '../support/processes.js';
import { ownRedis } from '../support/redis.js';
import { cutSockets, openSocket } from '../support/socket.js';

/* Those who follow and do not read: nothing is kept for them, and they miss nothing for all that. */

/** What the system keeps for two connections, and what may be told meanwhile. A queue keeps more than that. */
const EVENTS_MAX = 60_000;
/** An event is half a kilobyte with these. */
const LONG = { type: 't'.repeat(64), tenant: 'n'.repeat(128) };

let redis: Awaited<ReturnType<typeof ownRedis>>;
let api: AppProcess;

beforeAll(async () => {
  redis = await ownRedis();
  api = await startApi(redis.url);
});
afterAll(async () => {
  cutSockets();
  await killLeftovers();
  await redis.cleanup();
});

test('slow readers of a stream and of a socket are cut while others read on, and miss nothing when they come back', async () => {
  const path = `${api.url}/v1/queues/q/events`;
  await submit(0, 1);
  const [reader, slow, socket] = await Promise.all([follow(path), follow(path), openSocket(api.url)]);
  await socket.ask('follow', { queue: 'q' });
  socket.ws.pause();
  let submitted = 1;
  const isCut = async () => {
    const metrics = await (await fetch(`${api.url}/metrics`)).text();
    const left = metrics.matchAll(/^fairlane_event_followers{stream="(?:all|queue)"} (\d+)$/gm);
    return [...left].reduce((sum, [, count]) => sum + Number(count), 0) === 1;
  };
  while (!(await isCut())) {
    expect(submitted).toBeLessThan(EVENTS_MAX);
    await submit(submitted, 1_000);
    await reader.take(1_000);
    submitted += 1_000;
  }

  const expected = Array.from({ length: submitted - 1 }, (_, n) => `q~${n + 1}`);
  const before = await untilCut(slow);
  const back = await follow(path, { 'last-event-id': slow.lastEventId! });
  const after = await back.take(expected.length - before.length);
  expect([...before, ...after].map(({ data }) => data['id'])).toEqual(expected);

  socket.ws.resume();
  expect(await socket.closed).toBe(1006);
  const told = socket.heard.map(({ body }) => body as { position?: string; data: { id: string } });
  const lastEventId = told.findLast(({ position }) => position)!.position;
  const again = await openSocket(api.url);
  await again.ask('follow', { queue: 'q', lastEventId });
  const ids = new Set(told.map(({ data }) => data.id));
  while (ids.size < expected.length)
    ids.add((await again.next<{ data: { id: string } }>('event')).body.data.id);
  expect([...ids]).toEqual(expected);
  reader.leave();
  back.leave();
}, 60_000);

async function submit(from: number, count: number): Promise<void> {
  const tasks = Array.from({ length: count }, (_, n) => ({ ...LONG, queue: 'q', id: `${from + n}` }));
  expect((await post(`${api.url}/v1/tasks/batch`, { tasks })).status).toBe(202);
}

/** All that had been sent, up to the last place to go on from: what came after it comes again. */
async function untilCut(reader: EventReader): Promise<ReceivedEvent[]> {
  const events: ReceivedEvent[] = [];
  try {
    for (;;) events.push(await reader.next());
  } catch {
    return events.slice(0, events.findLastIndex(({ id }) => id !== undefined) + 1);
  }
}
