import { MemoryQueue } from '../memory/memory-queue.js';
import { type Meter, NO_METER } from '../worker/meter.js';
import { Chores, type ChoresOptions } from './chores.js';

const started: Chores[] = [];

afterEach(async () => {
  await Promise.all(started.splice(0).map((chores) => chores.stop()));
});

/** Chores that tell what they do, and a clock that a test moves. */
function setup(options: Partial<ChoresOptions> = {}) {
  let aheadMs = 0;
  const queue = new MemoryQueue({ clock: { now: () => Date.now() + aheadMs } });
  const runs: { chore: string; outcome: string; count: number }[] = [];
  const listeners = new Set<() => void>();
  const meter: Meter = {
    ...NO_METER,
    choreRan: (chore, outcome, count) => {
      runs.push({ chore, outcome, count });
      for (const listener of listeners) listener();
    },
  };
  const another = () => {
    const chores = new Chores({ queue, holder: 'one', meter, ...options });
    started.push(chores);
    return chores;
  };
  const until = (ready: () => boolean) =>
    new Promise<void>((resolve) => {
      const look = (): void => {
        if (!ready()) return;
        listeners.delete(look);
        resolve();
      };
      listeners.add(look);
      look();
    });
  const visits = (name: string) => runs.filter(({ chore }) => chore === name).length;
  const moved = (name: string) =>
    runs.filter(({ chore }) => chore === name).reduce((sum, { count }) => sum + count, 0);
  const advance = (ms: number) => (aheadMs += ms);
  return { queue, chores: another(), another, runs, until, visits, moved, advance };
}

test('due tasks of every queue become pending, however many there are', async () => {
  const { queue, chores, until, moved, advance } = setup();
  const tasks = Array.from({ length: 250 }, () => ({ type: 't', queue: 'a', delayMs: 60_000 }));
  await queue.enqueue(tasks);
  await queue.enqueue([{ type: 't', queue: 'b', delayMs: 60_000 }]);
  advance(61_000);
  chores.start();
  await until(() => moved('promote') === 251);
});

test('a task is promoted when it is due, not at the next sweep', async () => {
  const { queue, chores, until, visits, moved } = setup();
  await queue.enqueue([{ type: 't', delayMs: 150 }]);
  chores.start();
  await until(() => moved('promote') === 1);
  // The reaper sweeps twice as often, and has not been there a second time.
  expect(visits('reap')).toBe(1);
});

test('a tenant that its rate has kept back takes part again when it may, though no worker asks', async () => {
  const { queue, chores } = setup();
  await queue.configure('default', { tenants: { rate: { limit: 1, perMs: 150, burst: 1 } } });
  await queue.enqueue([{ type: 't' }, { type: 't' }]);
  const request = { queue: 'default', workerId: 'w', leaseMs: 30_000 };
  const first = await queue.lease({ ...request, max: 2 });
  expect([first.tasks.length, first.more]).toEqual([1, false]);
  // Nobody is left that knows the time.
  expect(await queue.waitForWork(['default'], 1)).toBe('default');
  chores.start();
  expect(await queue.waitForWork(['default'], 4_000)).toBe('default');
  expect((await queue.lease({ ...request, max: 2 })).tasks).toHaveLength(1);
});

test('a paused queue costs no more visits than any other', async () => {
  const { queue, chores, until, visits, moved } = setup();
  await queue.configure('default', { tenants: { rate: { limit: 1, perMs: 100, burst: 1 } } });
  await queue.pause('default');
  await queue.enqueue(Array.from({ length: 5 }, () => ({ type: 't', delayMs: 150 })));
  chores.start();
  await until(() => moved('promote') === 5);
  const before = visits('promote');
  await until(() => visits('reap') === 2);
  expect(visits('promote')).toBe(before);
});

test('the task of a worker that fell silent goes back', async () => {
  const { queue, chores, until, moved, runs, advance } = setup();
  await queue.enqueue([{ type: 't' }]);
  await queue.lease({ queue: 'default', workerId: 'gone', max: 1, leaseMs: 3_000 });
  chores.start();
  await until(() => runs.some(({ chore }) => chore === 'reap'));
  advance(3_100);
  await until(() => moved('reap') === 1);
  const [overview] = await queue.overview(['default']);
  expect(overview!.states).toMatchObject({ running: 0, pending: 1 });
});

test('finished tasks beyond retention are removed', async () => {
  const { queue, chores, until, moved, advance } = setup();
  const [outcome] = await queue.enqueue([{ type: 't' }]);
  await queue.cancel([(outcome as { task: { id: string } }).task.id]);
  advance(100 * 86_400_000);
  chores.start();
  await until(() => moved('prune') === 1);
});

test('of two processes one does the chores, and the other takes over', async () => {
  const { queue, chores, runs, until, advance } = setup();
  await queue.enqueue([{ type: 't' }]);
  expect(await queue.electForChores('other', 5_000)).toBe(true);
  const { electForChores } = queue;
  const asked = new Promise<boolean>((resolve) => {
    queue.electForChores = async (...args) => {
      const elected = await electForChores.apply(queue, args);
      resolve(elected);
      return elected;
    };
  });
  chores.start();
  expect(await asked).toBe(false);
  await new Promise((resolve) => setImmediate(resolve));
  expect([chores.elected, runs]).toEqual([false, []]);
  advance(5_000);
  await until(() => runs.length > 0);
  expect(chores.elected).toBe(true);
}, 10_000);

test('a process that stops lets another do the chores at once', async () => {
  const { queue, chores, runs, until, advance } = setup();
  await queue.enqueue([{ type: 't' }]);
  chores.start();
  await until(() => runs.length > 0);
  await chores.stop();
  advance(1);
  expect(await queue.electForChores('other', 1_000)).toBe(true);
});

test('a chore that fails goes on', async () => {
  const { queue, chores, runs, until, moved } = setup();
  await queue.enqueue([{ type: 't', delayMs: 1 }]);
  const { promote } = queue;
  let calls = 0;
  queue.promote = async (name) => {
    if (++calls <= 2) throw new Error('away');
    return promote.call(queue, name);
  };
  chores.start();
  await until(() => moved('promote') === 1);
  expect(runs.filter(({ outcome }) => outcome === 'error')).toHaveLength(2);
}, 10_000);

test('starting and stopping at any moment leaves nothing running', async () => {
  const { queue, another, runs } = setup();
  await queue.enqueue([{ type: 't', delayMs: 500 }]);
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const before = timers();
  for (let round = 0; round < 20; round++) {
    const chores = another();
    chores.start();
    for (let turn = 0; turn < round % 4; turn++) await new Promise((resolve) => setImmediate(resolve));
    await chores.stop();
    expect(timers()).toBe(before);
  }
  expect(runs.length).toBeGreaterThan(0);
});
