import type { Lease, LeasedTask, LeaseRequest } from '../core/ports/consumer.js';
import { waitThenLease } from '../core/wait-then-lease.js';
import { Leaser, type LeaserOptions } from './leaser.js';
import { NO_LOG, NO_METER } from './meter.js';
import { Trouble } from './trouble.js';
import { Bell } from './waiting.js';

const NOTHING: Lease = { tasks: [], more: false };
const task = { id: 'q~1' } as LeasedTask;
const leasers: Leaser[] = [];

afterEach(async () => {
  for (const leaser of leasers.splice(0)) {
    leaser.stop();
    await leaser.close();
  }
});

/** A leaser, and a store that answers as the test says. Every call is an event the test can wait for. */
function setup(lease: (request: LeaseRequest) => Lease | Promise<Lease>, rest: Partial<LeaserOptions> = {}) {
  const requests: LeaseRequest[] = [];
  const waits: { queues: readonly string[]; tenants?: readonly string[] }[] = [];
  const tasks: LeasedTask[] = [];
  const carried: LeaseRequest[] = [];
  const tokens = new Set<string>();
  let failWait = () => {};
  const bell = new Bell();
  let slots = 1;
  const consumer: LeaserOptions['consumer'] = {
    lease: async (request) => {
      requests.push(request);
      bell.ring();
      return lease(request);
    },
    waitForWork: async (queues, _timeoutMs, signal, tenants) => {
      waits.push({ queues, ...(tenants && { tenants }) });
      const aborted = new Promise<void>((resolve) => signal!.addEventListener('abort', () => resolve()));
      bell.ring();
      for (;;) {
        const rung = queues.find((queue) => tokens.delete(queue));
        if (rung !== undefined) bell.ring();
        if (rung !== undefined || signal!.aborted) return rung;
        await Promise.race([bell.next(), aborted]);
      }
    },
    waitAndLease: async (request, timeoutMs, signal) => {
      carried.push(request);
      const failed = new Promise<never>((_, reject) => (failWait = () => reject(new Error('away'))));
      return Promise.race([waitThenLease(consumer, request, timeoutMs, signal), failed]);
    },
  };
  const leaser = new Leaser({
    consumer,
    queues: () => ['q'],
    workerId: 'w',
    leaseMs: 30_000,
    tenants: [],
    steal: true,
    fallbackMs: 60_000,
    concurrency: 10,
    slots: () => slots - tasks.length,
    held: () => false,
    fusing: () => false,
    onTasks: (given) => {
      tasks.push(...given);
      bell.ring();
    },
    changed: new Bell(),
    trouble: new Trouble(NO_LOG, NO_METER),
    random: () => 0.5,
    ...rest,
  });
  leasers.push(leaser);
  return {
    leaser,
    requests,
    waits,
    carried,
    failWait: () => failWait(),
    tasks,
    setSlots: (count: number) => (slots = count),
    taken: () => tokens.size === 0,
    ring: (queue: string) => {
      tokens.add(queue);
      bell.ring();
    },
    until: async (ready: () => boolean) => {
      while (!ready()) await bell.next();
    },
  };
}

test.each([
  [['a', 'b'], false, ['a', 'b']],
  [
    ['a', 'b'],
    ['b', 'c'],
    ['a', 'b', 'c'],
  ],
  [[], ['c'], ['c']],
  [['a'], true, undefined],
])('of the tenants %j and the others %j it leases, and waits for %j', async (tenants, steal, waitedFor) => {
  const { leaser, requests, waits, until } = setup(() => NOTHING, { tenants, steal });
  leaser.start();
  await until(() => waits.length > 0);
  expect(requests).toEqual([expect.objectContaining({ max: 1, tenants, steal })]);
  expect(waits[0]!.tenants).toEqual(waitedFor);
});

test.each([[false], [[]]])('without tenants and with steal %j there is nobody to serve', (steal) => {
  expect(() => setup(() => NOTHING, { steal })).toThrow('must serve some tenants');
});

test('a token that comes without a free slot is passed on in the name of the same tenants', async () => {
  const { leaser, requests, ring, setSlots, waits, until } = setup(() => NOTHING, {
    queues: () => ['q', 'another'],
    tenants: ['a'],
    steal: false,
  });
  leaser.start();
  await until(() => waits.length > 0);
  setSlots(0);
  ring('q');
  await until(() => requests.length === 3);
  expect(requests[2]).toMatchObject({ queue: 'q', max: 0, tenants: ['a'], steal: false });
});

/** Leases that are answered by the test. */
function held() {
  const answers: ((lease: Lease) => void)[] = [];
  return { answers, lease: () => new Promise<Lease>((resolve) => answers.push(resolve)) };
}

function manyTasks(more: boolean): Lease {
  return { tasks: Array.from({ length: 50 }, (_, n) => ({ ...task, id: `q~${n}` })), more };
}

test('of a queue that has more two leases are under way at once, but never a third one', async () => {
  const { answers, lease } = held();
  const { leaser, requests, tasks, setSlots, until } = setup(lease, { concurrency: 300 });
  setSlots(300);
  leaser.start();
  await until(() => requests.length === 1);
  // Nobody knows yet whether there are more.
  leaser.fill();
  expect(requests).toHaveLength(1);
  answers[0]!(manyTasks(true));
  await until(() => tasks.length === 50);
  leaser.fill();
  expect(requests.map(({ max }) => max)).toEqual([50, 50, 50]);
  answers[1]!(manyTasks(false));
  await until(() => tasks.length === 100);
  leaser.fill();
  expect(requests).toHaveLength(3);
  for (const answer of answers) answer(NOTHING);
});

/** A leaser that has been told by its first answer, of 50 tasks, that there are more. */
async function startedWithPlenty(slots: number) {
  const { answers, lease } = held();
  const { tasks, until, ...rest } = setup(lease, { concurrency: 100 });
  rest.setSlots(slots);
  rest.leaser.start();
  await until(() => rest.requests.length === 1);
  answers[0]!(manyTasks(true));
  await until(() => tasks.length === 50);
  return { answers, ...rest };
}

test('a lease that is not full waits for the one before', async () => {
  const { answers, leaser, requests } = await startedWithPlenty(149);
  leaser.fill();
  expect(requests.map(({ max }) => max)).toEqual([50, 50]);
  answers[1]!(NOTHING);
});

test('what is leased with settlements is one request for each queue, others leave by themselves', async () => {
  const { answers, leaser, requests, setSlots } = await startedWithPlenty(50);
  setSlots(200);
  const fused = leaser.nextLeases(['q']);
  expect([...fused.values()].map(({ max }) => max)).toEqual([50]);
  expect(requests.map(({ max }) => max)).toEqual([50, 50]);
  for (const answer of answers) answer(NOTHING);
  leaser.accept(fused.get('q')!, NOTHING);
});

test('what a rate allows next is taken when it is allowed, again and again, without a token', async () => {
  const answers: Lease[] = [10, 10, 10, undefined].map((nextDueInMs, n) => ({
    tasks: [{ ...task, id: `q~${n}` }],
    more: false,
    ...(nextDueInMs && { nextDueInMs }),
  }));
  const { leaser, requests, tasks, until, setSlots } = setup(() => answers.shift() ?? NOTHING);
  setSlots(10);
  leaser.start();
  await until(() => tasks.length === 4);
  expect(requests.map(({ max }) => max)).toEqual([10, 9, 8, 7]);
});

test('what falls due while every slot is busy is made known to others, and taken with the first free slot', async () => {
  let dueMs: number | undefined = 10;
  const { leaser, requests, tasks, until, setSlots } = setup(({ max }) => {
    const nextDueInMs = dueMs;
    dueMs = undefined;
    if (max > 0) return { tasks: [task], more: false, ...(nextDueInMs && { nextDueInMs }) };
    return { tasks: [], more: true };
  });
  leaser.start();
  await until(() => requests.length === 2);
  expect(requests.map(({ max }) => max)).toEqual([1, 0]);
  setSlots(2);
  await new Promise((resolve) => setImmediate(resolve));
  leaser.fill();
  await until(() => tasks.length === 2);
});

test('a due time is not lost when the store is away at that moment', async () => {
  let calls = 0;
  const { leaser, requests, until } = setup(({ max }) => {
    if (++calls === 2) throw new Error('away');
    return max > 0 ? { tasks: [task], more: false, nextDueInMs: 10 } : NOTHING;
  });
  leaser.start();
  await until(() => requests.length === 3);
  expect(requests.map(({ max }) => max)).toEqual([1, 0, 0]);
});

test('a token that comes while a lease is under way is not forgotten: the answer may be older', async () => {
  let answer!: (lease: Lease) => void;
  const first = new Promise<Lease>((resolve) => (answer = resolve));
  // The second is asked for by time alone, so that the wait for the token goes on.
  const leases = [{ ...NOTHING, nextDueInMs: 10 }, first];
  const { leaser, requests, ring, taken, until, setSlots } = setup(
    ({ queue }) => (queue === 'q' ? leases.shift() : undefined) ?? NOTHING,
    { queues: () => ['q', 'another'] },
  );
  const most = () => requests.filter(({ queue }) => queue === 'q').map(({ max }) => max);
  leaser.start();
  await until(() => most().length === 2);
  setSlots(2);
  ring('q');
  await until(taken);
  await new Promise((resolve) => setImmediate(resolve));
  answer(NOTHING);
  await until(() => most().length === 3);
  expect(most()).toEqual([1, 1, 2]);
});

test('the only queue is leased from along with the wait, for as many slots as are free then', async () => {
  const { leaser, carried, requests, ring, setSlots, tasks, until } = setup(() => ({
    ...NOTHING,
    tasks: [task],
  }));
  setSlots(7);
  leaser.start();
  await until(() => carried.length === 1);
  expect(carried.map(({ max }) => max)).toEqual([6]);
  ring('q');
  await until(() => tasks.length === 2 && carried.length === 2);
  expect(requests.slice(1)).toEqual([carried[0]]);
  expect(carried[1]).toMatchObject({ max: 5 });
});

test.each([
  ['another queue is to be heard', { queues: () => ['q', 'another'] }, NOTHING],
  ['every slot is busy', {}, { ...NOTHING, tasks: [task] }],
])('no lease goes along while %s', async (_why, options, lease) => {
  const { leaser, carried, waits, until } = setup(() => lease, options);
  leaser.start();
  await until(() => waits.some(({ queues }) => queues.includes('q')));
  expect(carried).toEqual([]);
});

test('a wait that failed may have leased, so its request is repeated', async () => {
  const { leaser, carried, failWait, requests, tasks, until } = setup(({ requestId }) =>
    requestId === carried[0]?.requestId ? { ...NOTHING, tasks: [task] } : NOTHING,
  );
  leaser.start();
  await until(() => carried.length === 1);
  failWait();
  await until(() => tasks.length === 1);
  expect(requests).toContainEqual(carried[0]);
});

test('a leaser ends although a wait with a lease is never answered', async () => {
  const { leaser, carried, until } = setup(() =>
    carried.length > 0 ? new Promise(() => undefined) : NOTHING,
  );
  leaser.start();
  await until(() => carried.length === 1);
  leaser.stop();
  await leaser.close();
  expect(leaser.idle).toBe(true);
});

test('a queue that rings with nothing behind it rests, and the others are heard meanwhile', async () => {
  const { leaser, requests, waits, ring, until } = setup(
    ({ queue }) => {
      if (queue === 'quiet') return NOTHING;
      ring('loud');
      return { tasks: [], more: true };
    },
    { queues: () => ['loud', 'quiet'] },
  );
  const vain = () => requests.filter(({ queue }) => queue === 'loud').length;
  const resting = () => waits.at(-1)?.queues.join() === 'quiet';
  leaser.start();
  await until(() => resting() && vain() >= 4);
  const before = vain();
  ring('quiet');
  await until(() => requests.at(-1)!.queue === 'quiet');
  expect(vain()).toBe(before);
  // Its token is asked for again when it has rested.
  await until(() => vain() === before + 3);
  expect(waits.filter(({ queues }) => queues.join() === 'quiet').length).toBeGreaterThanOrEqual(3);
});
