import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { freePort } from '../../tools/lib/ports.mjs';
import { countsOf, post } from '../support/client.js';
import { Crew } from '../support/crew.js';
import { batchesOf, endedAll } from '../support/load.js';
import { type AppProcess, killLeftovers, startApi, startWorker } from '../support/processes.js';
import { ownRedis } from '../support/redis.js';

let redis: Awaited<ReturnType<typeof ownRedis>>;
let api: AppProcess;
let submitted: number;

beforeEach(async () => {
  submitted = 0;
  redis = await ownRedis();
  api = await startApi(redis.url, {}, await freePort());
});
afterEach(async () => {
  await killLeftovers();
  await redis.cleanup();
});

test('all ten leases of a killed worker come back once, in order, each as a crash', async () => {
  // For its chores.
  await startWorker(redis.url);
  const ids = await submit(new Crew(api.url, 'q'), 12);
  const program = `
    const answer = await fetch(${JSON.stringify(`${api.url}/v1/queues/q/lease`)}, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ workerId: 'dying', max: 10, leaseDuration: '1s' }),
    });
    console.log(await answer.text());
    setInterval(() => {}, 1_000);
  `;
  const dying = spawn(process.execPath, ['--input-type=module', '-e', program]);
  const [text] = (await once(dying.stdout.setEncoding('utf8'), 'data')) as [string];
  dying.kill('SIGKILL');
  const lost = (JSON.parse(text) as Leased).items;
  expect(lost.map(({ id }) => id)).toEqual(ids.slice(0, 10));
  while ((await countsOf(api.url, 'q')).running! > 0) await delay(20);

  const { body } = await post<Leased>(`${api.url}/v1/queues/q/lease`, { workerId: 'w', max: 100 });
  expect(body.items.map(({ id }) => id)).toEqual(ids);
  expect(body.items.map(({ attempt, crashes }) => [attempt, crashes])).toEqual([
    ...lost.map(() => [2, 1]),
    [1, 0],
    [1, 0],
  ]);
  for (const { id, leaseToken } of lost) {
    const late = await post(`${api.url}/v1/tasks/${id}/complete`, { leaseToken });
    expect([late.status, late.body.code]).toEqual([409, 'lease-lost']);
  }
  const settlements = body.items.map(({ id, leaseToken }) => ({ id, leaseToken, action: 'complete' }));
  await post(`${api.url}/v1/leases/settle`, { settlements });
  expect(await countsOf(api.url, 'q')).toMatchObject({ completed: 12, pending: 0, running: 0, failed: 0 });
}, 30_000);

test('200 workers that come back at once after a restart of the API and of Redis execute each task once', async () => {
  const crew = new Crew(api.url, 'q');
  const working = crew.work(200);
  const ids = await submit(crew, 1_000);
  await crew.executed(300);
  await api.stop('SIGKILL');
  api = await startApi(redis.url, {}, Number(new URL(api.url).port));
  await crew.executed(1_000);
  // Now all are parked, and then half of them have something to do.
  ids.push(...(await submit(crew, 500)));
  await crew.executed(1_200);
  process.kill(redis.server.pid, 'SIGKILL');
  await redis.restart();
  ids.push(...(await submit(crew, 500)));
  const tasks = await endedAll(api.url, ids);
  crew.stop();
  await working;

  const strange = tasks.filter(
    ({ id, state, attempt, crashes }) =>
      state !== 'completed' || attempt !== 1 || crashes !== 0 || crew.executions.get(id) !== 1,
  );
  expect(strange).toEqual([]);
  expect(crew.executions.size).toBe(2_000);
  expect(await countsOf(api.url, 'q')).toMatchObject({ completed: 2_000, pending: 0, running: 0 });
  // Whatever else a worker was answered is in the table of the protocol page.
  expect(crew.refusals.delete('no answer')).toBe(true);
  for (const code of crew.refusals) expect(['store-unavailable', 'shutting-down']).toContain(code);
}, 60_000);

interface Leased {
  items: { id: string; attempt: number; crashes: number; leaseToken: string }[];
}

/** Of one queue, with keys of their own, so that repeating is safe. */
async function submit(crew: Crew, count: number): Promise<string[]> {
  const from = submitted;
  submitted += count;
  const keys = Array.from({ length: count }, (_, n) => `task-${from + n}`);
  for (const batch of batchesOf(keys, 500)) {
    const tasks = batch.map((id) => ({ type: 'a', queue: 'q', id }));
    expect((await crew.insist('/v1/tasks/batch', { tasks })).status).toBe(202);
  }
  return keys.map((key) => `q~${key}`);
}
