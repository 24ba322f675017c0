import { setTimeout as delay } from 'node:timers/promises';
import type { NewTask, Queue } from '@app/queue';
import { leaseIdentity } from '../../apps/api/src/socket/assigner.js';
import { type AssignedTask, cutSockets, openSocket } from '../support/socket.js';
import { until } from '../support/until.js';
import { stored, submit } from './leasing.js';
import { closeApis, startApi, startApiOver, STORES } from './support.js';
import { assignedTo, complete, startWorker } from './ws-working.js';

afterEach(cutSockets);
afterEach(closeApis);

/** Tells what was asked of a queue's `lease` and how many wait for work. */
const watch = (queue: Queue) => {
  const lease = queue.lease.bind(queue);
  const wait = queue.waitForWork.bind(queue);
  const seen = { leases: 0, parked: 0 };
  queue.lease = (request) => {
    seen.leases += 1;
    return lease(request);
  };
  queue.waitForWork = async (...args) => {
    seen.parked += 1;
    return wait(...args).finally(() => (seen.parked -= 1));
  };
  return seen;
};

describe.each(STORES)('over %s', (store) => {
  test('a worker is assigned what waits, as many as it has credit for, and all that it needs to know', async () => {
    const { url, queue } = await startApiOver(store);
    await submit(queue, '1', '2', '3');
    const worker = await startWorker(url, { leaseDuration: '1h' });
    expect(worker.received).toBe(0);
    expect(worker.heard).toEqual([]);
    expect(await worker.ask('credit', { received: 0, free: 2 })).toMatchObject({ type: 'credited' });
    const { number, items } = await assignedTo(worker);
    expect(number).toBe(1);
    expect(items).toMatchObject([
      { id: 'q~1', queue: 'q', type: 'a', attempt: 1, errors: [], leaseToken: expect.any(String) },
      { id: 'q~2' },
    ]);
    const task = await stored(queue, '1');
    expect(task).toMatchObject({ state: 'running', workerId: 'w' });
    expect(task!.leaseExpiresAt! - task!.startedAt!).toBe(3_600_000);
    expect(await stored(queue, '3')).toMatchObject({ state: 'pending' });
  });

  test('one that waits is assigned a task as soon as it is submitted, due or resumed', async () => {
    const { url, queue } = await startApiOver(store);
    const worker = await startWorker(url);
    let received = 0;
    const bring: (() => Promise<unknown>)[] = [
      () => submit(queue, 'submitted'),
      () => queue.enqueue([{ type: 'a', queue: 'q', key: 'due', delayMs: 50 }]),
      async () => {
        await queue.pause('q');
        await submit(queue, 'resumed');
        await queue.resume('q');
      },
    ];
    for (const one of bring) {
      await worker.ask('credit', { received, free: 1 });
      await one();
      const { number, items } = await assignedTo(worker);
      expect(items).toHaveLength(1);
      received = number;
    }
  });

  test('settlements are those of HTTP, and bring the next tasks with their credit', async () => {
    const { url, queue } = await startApiOver(store);
    await submit(queue, '1', '2', '3', '4');
    const worker = await startWorker(url);
    await worker.ask('credit', { received: 0, free: 3 });
    const { items } = await assignedTo(worker);
    const [first, second, third] = items as [AssignedTask, AssignedTask, AssignedTask];
    const settlements = [
      { ...complete(first, { n: 1 }), logs: ['done'] },
      {
        id: second.id,
        leaseToken: second.leaseToken,
        action: 'fail',
        error: { message: 'no' },
        retryIn: '1h',
      },
      { id: third.id, leaseToken: third.leaseToken, action: 'release' },
      { id: 'q~1', leaseToken: 'other', action: 'complete' },
    ];
    const settled = await worker.ask('settle', { settlements, credit: { received: 1, free: 3 } });
    expect(settled).toMatchObject({
      type: 'settled',
      body: {
        outcomes: [
          { id: 'q~1', state: 'completed' },
          { id: 'q~2', state: 'retrying' },
          { id: 'q~3', state: 'pending' },
          { id: 'q~1', problem: { code: 'lease-lost', status: 409 } },
        ],
      },
    });
    const next = await assignedTo(worker);
    expect(next).toMatchObject({ number: 2, items: [{ id: 'q~3', attempt: 1 }, { id: 'q~4' }] });
    expect(await stored(queue, '1')).toMatchObject({ state: 'completed', result: '{"n":1}' });
    expect((await queue.logs('q~1')).map(({ message }) => message)).toEqual(['done']);
    const again = await worker.ask('settle', { settlements: [settlements[0]] });
    expect(again.body).toMatchObject({ outcomes: [{ state: 'completed' }] });
  });

  test('heartbeats extend, report and tell of cancelling, on any connection', async () => {
    const { url, queue } = await startApiOver(store);
    await submit(queue, '1', '2');
    const worker = await startWorker(url);
    await worker.ask('credit', { received: 0, free: 2 });
    const { items } = await assignedTo(worker);
    const [one, two] = items as [AssignedTask, AssignedTask];
    await queue.cancel(['q~2']);
    const other = await openSocket(url);
    const leases = [
      { id: one.id, leaseToken: one.leaseToken, progress: { percent: 5 }, logs: ['x'] },
      { id: two.id, leaseToken: two.leaseToken },
      { id: two.id, leaseToken: 'stale' },
    ];
    expect(await other.ask('heartbeat', { leases, extend: '1h' })).toMatchObject({
      type: 'extended',
      body: {
        outcomes: [
          { cancelRequested: false },
          { cancelRequested: true },
          { problem: { code: 'lease-lost' } },
        ],
      },
    });
    const task = await stored(queue, '1');
    expect(task).toMatchObject({ progress: '{"percent":5}' });
    expect(task!.leaseExpiresAt! - task!.startedAt!).toBeGreaterThan(3_500_000);
  });

  test('credit is counted once, however often and late it is given', async () => {
    const { url, queue } = await startApiOver(store);
    await submit(queue, '1', '2', '3', '4', '5', '6');
    const worker = await startWorker(url);
    await Promise.all([1, 2, 3].map(() => worker.ask('credit', { received: 0, free: 2 })));
    expect((await assignedTo(worker)).items).toHaveLength(2);
    // Said before the assignment had arrived.
    await worker.ask('credit', { received: 0, free: 5 });
    await worker.ask('credit', { received: 1, free: 0 });
    expect(worker.heard).toEqual([]);
    await worker.ask('credit', { received: 1, free: 1 });
    expect(await assignedTo(worker)).toMatchObject({ number: 2, items: [{ id: 'q~3' }] });
  });

  test('credit for an assignment that there has not been is refused, and nothing is settled with it', async () => {
    const { url, queue } = await startApiOver(store);
    await submit(queue, '1');
    const worker = await startWorker(url);
    await worker.ask('credit', { received: 0, free: 1 });
    const { items } = await assignedTo(worker);
    const settled = await worker.ask('settle', {
      settlements: [complete(items[0]!)],
      credit: { received: 2, free: 1 },
    });
    expect(settled).toMatchObject({
      type: 'problem',
      body: { code: 'invalid-request', errors: [{ pointer: '/credit/received' }] },
    });
    expect(await stored(queue, '1')).toMatchObject({ state: 'running' });
  });

  test('after the answer to credit for nothing, nothing more is assigned', async () => {
    const { url, queue } = await startApiOver(store);
    const worker = await startWorker(url);
    await worker.ask('credit', { received: 0, free: 5 });
    const submitting = submit(queue, '1');
    await worker.ask('credit', { received: 0, free: 0 });
    const known = worker.heard.length;
    await submitting;
    await submit(queue, '2');
    await worker.ask('get', { id: 'q~2' });
    expect(worker.heard).toHaveLength(known);
    expect(await stored(queue, '2')).toMatchObject({ state: 'pending' });
  });

  test('several queues are served by turns, and waited for together', async () => {
    const { url, queue } = await startApiOver(store);
    const names = ['q1', 'q2', 'q3'];
    await queue.enqueue(names.flatMap((name) => [1, 2].map((): NewTask => ({ type: 'a', queue: name }))));
    const worker = await startWorker(url, { queues: names });
    const order: string[] = [];
    let received = 0;
    for (let n = 0; n < 6; n++) {
      await worker.ask('credit', { received, free: 1 });
      const { number, items } = await assignedTo(worker);
      order.push(items[0]!.id.split('~')[0]!);
      received = number;
    }
    expect(order).toEqual([...names, ...names]);
    for (const name of ['q3', 'q1', 'q2', 'q1']) {
      await worker.ask('credit', { received, free: 1 });
      await queue.enqueue([{ type: 'a', queue: name }]);
      const { number, items } = await assignedTo(worker);
      expect(items[0]!.id).toMatch(new RegExp(`^${name}~`));
      received = number;
    }
  });

  test('tenants are served first, and others as the worker says', async () => {
    const { url, queue } = await startApiOver(store);
    const of = (tenant: string): NewTask => ({ type: 'a', queue: 'q', tenant, key: tenant });
    await queue.enqueue(['b', 'c', 'acme'].map(of));
    const worker = await startWorker(url, { tenants: ['acme'], steal: ['c'] });
    const order: string[] = [];
    let received = 0;
    for (let n = 0; n < 2; n++) {
      await worker.ask('credit', { received, free: 1 });
      const { number, items } = await assignedTo(worker);
      order.push(items[0]!.id);
      received = number;
    }
    expect(order).toEqual(['q~acme', 'q~c']);
    await worker.ask('credit', { received, free: 1 });
    await queue.enqueue([{ type: 'a', queue: 'q', tenant: 'acme', key: 'later' }]);
    expect((await assignedTo(worker)).items).toMatchObject([{ id: 'q~later' }]);
    expect(await stored(queue, 'b')).toMatchObject({ state: 'pending' });
  });

  test('one submission wakes one of those that wait, whether they wait on sockets or over HTTP', async () => {
    const { url, queue, http } = await startApiOver(store);
    const seen = watch(queue);
    const workers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => startWorker(url, { workerId: `w${n}` })),
    );
    await Promise.all(workers.map((worker) => worker.ask('credit', { received: 0, free: 1 })));
    await until(() => seen.parked === 20);
    const poll = http
      .post('/v1/queues/q/lease')
      .send({ workerId: 'poll', wait: '30s' })
      .then(({ status }) => status);
    await until(() => seen.parked === 21);
    seen.leases = 0;
    await submit(queue, '1');
    await until(() => workers.some(({ heard }) => heard.length > 0));
    await until(() => seen.parked === 20);
    // Who took it, and who minds the clock for the others from then on.
    expect(seen.leases).toBeLessThanOrEqual(2);
    await submit(queue, ...Array.from({ length: 20 }, (_, n) => `more-${n}`));
    expect(await poll).toBe(200);
    await until(() => workers.every(({ heard }) => heard.length === 1));
  }, 20_000);
});

test('a shutdown gives back what has not been delivered, and leaves the worker what has', async () => {
  const { app, url, queue } = await startApi();
  await submit(queue, '1', '2');
  const worker = await startWorker(url);
  await worker.ask('credit', { received: 0, free: 1 });
  await assignedTo(worker);
  const lease = queue.lease.bind(queue);
  let entered!: () => void;
  const leasing = new Promise<void>((resolve) => (entered = resolve));
  queue.lease = async (request) => {
    const answer = await lease(request);
    entered();
    await delay(50);
    return answer;
  };
  worker.ws.send('{"type":"credit","body":{"received":1,"free":1}}');
  await leasing;
  await app.close();
  expect(await worker.closed).toBe(1012);
  expect(worker.heard).toEqual([]);
  expect(await stored(queue, '1')).toMatchObject({ state: 'running' });
  expect(await stored(queue, '2')).toMatchObject({ state: 'pending', attempt: 0 });
});

test('who knows a lease token cannot tell the identity of the next lease', () => {
  const [one, two] = [leaseIdentity('s', 1), leaseIdentity('s', 2)];
  expect(one).toMatch(/^[\w-]{22}$/);
  expect(two).not.toBe(one);
});
