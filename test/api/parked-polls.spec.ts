import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { text } from 'node:stream/consumers';
import { Redis } from 'ioredis';
import { post } from '../support/client.js';
import { killLeftovers, startApi } from '../support/processes.js';
import { ownRedis } from '../support/redis.js';

/* What a thousand workers that wait cost, counted by Redis itself. */

let own: Awaited<ReturnType<typeof ownRedis>>;
let redis: Redis;
let url: string;

beforeAll(async () => {
  own = await ownRedis();
  redis = new Redis(own.url);
  ({ url } = await startApi(own.url));
});
afterAll(async () => {
  await killLeftovers();
  await redis.quit();
  await own.cleanup();
});

test('a thousand parked polls cost Redis next to nothing, and one submission wakes one of them', async () => {
  // Redis knows the script from now on, so that each later call of it is one command.
  await post(`${url}/v1/queues/q/lease`, { workerId: 'w' });
  const unparked = await calls('fcall');
  const polls = park('q', 1_000);
  // Each has asked once, and found nothing.
  while ((await calls('fcall')) < unparked + 1_000) await delay(20);

  const before = await calls();
  // Longer than anybody waits before asking again, for fear that a token got lost.
  await delay(6_000);
  // The first of them asked, and what blocks for all of them blocked again.
  expect((await calls()) - before).toBeLessThan(40);

  const scripts = await calls('fcall');
  await post(`${url}/v1/tasks`, { type: 'a', queue: 'q', id: '1' });
  expect(await Promise.race(polls.answers)).toContain('"id":"q~1"');
  // Time for those who would ask in vain.
  await delay(500);
  // The submission, the lease that took the task, and at most one that did not.
  expect((await calls('fcall')) - scripts).toBeLessThanOrEqual(3);
  expect(polls.answered()).toBe(1);

  const more = Array.from({ length: 8 }, (__, n) => ({ type: 'a', queue: 'q', id: `more-${n}` }));
  await post(`${url}/v1/tasks/batch`, { tasks: more });
  while (polls.answered() < 9) await delay(5);
  polls.leave();
}, 60_000);

/** How many commands Redis has executed, those of scripts included, all or one of them. What asks for it here is not counted. */
async function calls(command = '\\w+'): Promise<number> {
  const info = await redis.info('commandstats');
  const counts = [...info.matchAll(new RegExp(`^cmdstat_(${command}):calls=(\\d+)`, 'gm'))];
  return counts.reduce((sum, [, name, count]) => sum + (name === 'info' ? 0 : Number(count)), 0);
}

/** Polls for one task each, over a connection each. */
function park(queue: string, count: number) {
  const agent = new Agent({ keepAlive: true });
  let answered = 0;
  const sent = Array.from({ length: count }, (_, n) => {
    const poll = request(`${url}/v1/queues/${queue}/lease`, {
      method: 'POST',
      agent,
      headers: { 'content-type': 'application/json' },
    });
    poll.end(JSON.stringify({ workerId: `w${n}`, wait: '60s' }));
    return poll;
  });
  const answers = sent.map(
    (poll) =>
      new Promise<string>((resolve) => {
        poll.on('error', () => undefined);
        poll.on('response', (answer) => {
          answered++;
          resolve(text(answer));
        });
      }),
  );
  return { answers, answered: () => answered, leave: () => agent.destroy() };
}
