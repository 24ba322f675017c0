import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { LIMITS } from '@app/queue';
import { root } from '../../tools/lib/root.mjs';
import { countsOf, request } from '../support/client.js';
import { type AppProcess, killLeftovers, startApi } from '../support/processes.js';
import { ownRedis } from '../support/redis.js';

let redis: Awaited<ReturnType<typeof ownRedis>>;
let api: AppProcess;

beforeAll(async () => {
  redis = await ownRedis();
  api = await startApi(redis.url);
}, 30_000);
afterAll(async () => {
  await killLeftovers();
  await redis.cleanup();
});

test('workers over HTTP and on sockets do all that was submitted, and the account says so', async () => {
  const crew = ['--workers', '6', '--sockets', '3', '--machines', '2', '--gpus', '3'];
  const work = ['--queue', 'all', '--rate', '500', '--tasks', '200', '--types', 'quick=5ms,flaky=5ms/60'];
  const simulation = simulate(...crew, ...work);
  const { code, text } = await simulation.ended;
  expect(code).toBe(0);
  const counts = await countsOf(api.url, 'all');
  expect(counts.completed! + counts.failed!).toBe(200);
  expect(counts.failed).toBeGreaterThan(0);
  expect(text).toContain(`Submitted 200: ${counts.completed} completed, ${counts.failed} failed.`);
  for (const kind of ['http', 'socket']) {
    const rows = text.match(new RegExp(`'${kind}' +│ +[1-9]`, 'g'));
    expect(rows).toHaveLength(3);
  }
  expect(text.match(/machine-[12], GPU [012]/g)).toHaveLength(6);
}, 30_000);

test('Ctrl-C ends the submissions, a second one gives back what runs, and all is accounted for', async () => {
  const simulation = simulate(
    ...[
      '--workers',
      '4',
      '--sockets',
      '2',
      '--slots',
      '2',
      '--queue',
      'cut',
      '--rate',
      '200',
      '--types',
      'long=10m',
    ],
  );
  while (((await countsOf(api.url, 'cut').catch(() => undefined))?.running ?? 0) < 8) await delay(20);
  const { items } = (await request<{ items: object[] }>(`${api.url}/v1/workers`)).body;
  expect(items).toHaveLength(4);
  simulation.child.kill('SIGINT');
  await simulation.says(/no more submissions/);
  await delay(600);
  simulation.child.kill('SIGINT');
  const { code, text } = await simulation.ended;
  expect(code).toBe(0);
  const counts = await countsOf(api.url, 'cut');
  expect(counts).toMatchObject({ running: 0, completed: 0, failed: 0 });
  expect(text).toContain(`Submitted ${counts.pending}: ${counts.pending} pending.`);
  expect((await request<{ items: object[] }>(`${api.url}/v1/workers`)).body.items).toEqual([]);
}, 30_000);

test.each([
  [['--rate', 'fast'], '--rate must be a number'],
  [['--workers', '2.5'], '--workers must be a whole number'],
  [['--workers', '3', '--sockets', '4'], '--sockets must not be more than the 3 --workers'],
  [['--queue', 'a b'], '--queue must be 1 to 64 of'],
  [['--types', 'resize'], '--types must be like'],
  [['--types', 'a b=1ms'], '--types must be like'],
  [['--speed', '1'], "Unknown option '--speed'"],
])('%j is refused with a word on what is right', async (args, message) => {
  const { code, text } = await simulate(...args).ended;
  expect(code).toBe(2);
  expect(text).toContain(message);
});

test('what only the API refuses is told in its words', async () => {
  const types = Array.from({ length: LIMITS.workerTypesMax + 1 }, (_, n) => `t${n}=1ms`).join();
  const { code, text } = await simulate('--types', types).ended;
  expect(code).toBe(1);
  expect(text).toContain('The API refuses it: 422 invalid-request: types must be a list');
});

function simulate(...args: string[]) {
  const child: ChildProcess = spawn(process.execPath, ['tools/simulate.mjs', ...args], {
    cwd: root,
    env: { PATH: process.env.PATH, FAIRLANE_URL: api.url },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  for (const stream of [child.stdout!, child.stderr!]) {
    createInterface({ input: stream }).on('line', (line) => lines.push(line));
  }
  return {
    child,
    ended: once(child, 'close').then(([code]) => ({ code: code as number, text: lines.join('\n') })),
    async says(pattern: RegExp) {
      while (!lines.some((line) => pattern.test(line))) await delay(10);
    },
  };
}
