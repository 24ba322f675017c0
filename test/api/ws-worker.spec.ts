import { setTimeout as delay } from 'node:timers/promises';
import { QueueError, type NewTask, type Queue } from '@app/queue';
import { leaseIdentity } from '../../apps/api/src/socket/assigner.js';
import { MemoryQueue } from '../../libs/queue/src/memory/memory-queue.js';
import { cutSockets, openSocket, type AssignedTask, type SocketClient } from '../support/socket.js';
import { closeApis, startApi, startApiOver, STORES } from './support.js';

afterEach(cutSockets);
afterEach(closeApis);

interface Registered {
  session: string;
  received: number;
  command?: string;
}
interface Assigned {
  number: number;
  items: AssignedTask[];
}

const submit = (queue: Queue, ...keys: string[]) =>
  queue.enqueue(keys.map((key): NewTask => ({ type: 'a', queue: 'q', key })));

const stored = async (queue: Queue, key: string) => (await queue.get([`q~${key}`]))[0];

const until = async (holds: () => boolean | Promise<boolean>) => {
  while (!(await holds())) await delay(5);
};

/** A registered worker of the API at this address. */
const startWorker = async (url: string, terms: object = {}) => {
  const client = await openSocket(url);
  const { type, body } = await client.ask<Registered>('register', { workerId: 'w', queues: ['q'], ...terms });
  expect(type).toBe('registered');
  return { ...client, ...body };
};

const assignedTo = async (worker: SocketClient) => (await worker.next<Assigned>('assigned')).body;

const complete = ({ id, leaseToken }: AssignedTask, result?: unknown) => ({
  id,
  leaseToken,
  action: 'complete',
  result,
});

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

describe('registering', () => {
  test.each([
    ['no worker', { queues: ['q'] }, '/workerId'],
    ['no queue', { workerId: 'w', queues: [] }, '/queues'],
    ['too many queues', { workerId: 'w', queues: Array.from({ length: 21 }, (_, n) => `q${n}`) }, '/queues'],
    ['a queue that cannot be', { workerId: 'w', queues: ['q', 'a b'] }, '/queues/1'],
    ['too short a lease', { workerId: 'w', queues: ['q'], leaseDuration: 1 }, '/leaseDuration'],
    ['nobody to serve', { workerId: 'w', queues: ['q'], steal: false }, '/steal'],
    [
      'a session that could be guessed',
      { workerId: 'w', queues: ['q'], resume: { session: 'x', received: 0 } },
      '/resume/session',
    ],
    [
      'half a session',
      { workerId: 'w', queues: ['q'], resume: { session: 'x'.repeat(16) } },
      '/resume/received',
    ],
  ])('with %s is refused', async (_, body, pointer) => {
    const { url } = await startApi();
    const client = await openSocket(url);
    expect(await client.ask('register', body)).toMatchObject({
      type: 'problem',
      body: { code: 'invalid-request', errors: [{ pointer }] },
    });
    expect((await client.ask('credit', { received: 0, free: 1 })).body).toMatchObject({
      code: 'not-registered',
    });
  });

  test('twice is refused, and the first one holds', async () => {
    const { url, queue } = await startApi();
    const client = await openSocket(url);
    const terms = { workerId: 'w', queues: ['q'] };
    const answers = await Promise.all([client.ask('register', terms), client.ask('register', terms)]);
    expect(answers.map(({ type }) => type)).toEqual(['registered', 'problem']);
    expect((await client.ask('register', terms)).body).toMatchObject({ code: 'already-registered' });
    await client.ask('credit', { received: 0, free: 1 });
    await submit(queue, '1');
    await assignedTo(client);
  });

  test('on a second connection closes the first, which takes nothing more', async () => {
    const { url, queue } = await startApi();
    const first = await startWorker(url);
    await first.ask('credit', { received: 0, free: 5 });
    const resume = { session: first.session, received: 0 };
    const second = await startWorker(url, { resume });
    expect(await first.closed).toBe(4409);
    expect(second).toMatchObject({ session: first.session, received: 1 });
    await second.ask('credit', { received: 1, free: 1 });
    await submit(queue, '1');
    expect(await assignedTo(second)).toMatchObject({ number: 2, items: [{ id: 'q~1' }] });
    expect(first.heard).toEqual([]);
  });
});

describe('the list of workers', () => {
  test('has those on sockets, with what they say of themselves, until they say goodbye', async () => {
    const { url, http } = await startApi();
    const said = { types: ['a'], host: 'build-3', pid: 7, version: '1.2.3', labels: { gpu: 'a100' } };
    const worker = await startWorker(url, said);
    const { body } = await http.get('/v1/workers/w').expect(200);
    expect(body).toMatchObject({ id: 'w', queues: ['q'], ...said });
    const other = await startWorker(url, { workerId: 'other' });
    other.cut();
    worker.ws.close(1000);
    await Promise.all([worker.closed, other.closed]);
    await until(async () => (await http.get('/v1/workers/w')).status === 404);
    // Perhaps it is on another connection by now.
    await http.get('/v1/workers/other').expect(200);
  });

  test('has no room for what a worker may not say', async () => {
    const { url, http } = await startApi();
    const client = await openSocket(url);
    const terms = { workerId: 'w', queues: ['q'], pid: -1, labels: { 'a b': 'c' }, ttl: '1m' };
    const { body } = await client.ask<{ errors: { pointer: string }[] }>('register', terms);
    expect(body.errors.map(({ pointer }) => pointer).sort()).toEqual(['/labels/a b', '/pid', '/ttl']);
    await http.get('/v1/workers/w').expect(404);
  });

  test('lets an operator have one take nothing, and take tasks again', async () => {
    const { url, http, queue } = await startApi();
    const worker = await startWorker(url);
    await worker.ask('credit', { received: 0, free: 2 });
    await http.post('/v1/workers/w/quiet').expect(200);
    expect((await worker.next('told')).body).toEqual({ command: 'quiet' });
    await submit(queue, '1', '2');
    await worker.ask('credit', { received: 0, free: 1 });
    expect(
      await worker.ask('heartbeat', { leases: [{ id: 'q~1', leaseToken: 'x' }], workerId: 'w' }),
    ).toMatchObject({ body: { command: 'quiet' } });
    expect(worker.heard).toEqual([]);
    const again = await startWorker(url, { resume: { session: worker.session, received: 0 } });
    expect(again).toMatchObject({ command: 'quiet' });
    await again.ask('credit', { received: again.received, free: 1 });
    expect(await stored(queue, '1')).toMatchObject({ state: 'pending' });
    await http.post('/v1/workers/w/resume').expect(200);
    expect((await again.next('told')).body).toEqual({});
    await assignedTo(again);
    await http.post('/v1/workers/w/terminate').expect(200);
    expect((await again.next('told')).body).toEqual({ command: 'terminate' });
  }, 20_000);
});

describe('a connection that is cut', () => {
  test('leaves its worker what it was assigned', async () => {
    const { url, queue } = await startApi();
    await submit(queue, '1');
    const first = await startWorker(url);
    await first.ask('credit', { received: 0, free: 1 });
    const { number, items } = await assignedTo(first);
    first.cut();
    await first.closed;
    const second = await startWorker(url, { resume: { session: first.session, received: number } });
    const [task] = items as [AssignedTask];
    const held = await second.ask('heartbeat', { leases: [{ id: task.id, leaseToken: task.leaseToken }] });
    expect(held.body).toMatchObject({ outcomes: [{ cancelRequested: false }] });
    const settled = await second.ask('settle', { settlements: [complete(task)] });
    expect(settled.body).toMatchObject({ outcomes: [{ state: 'completed' }] });
    expect(await stored(queue, '1')).toMatchObject({ attempt: 1, crashes: 0 });
  });

  test('while something is leased for it gives it back, uncounted', async () => {
    const { url, queue } = await startApi();
    await submit(queue, '1');
    const lease = queue.lease.bind(queue);
    let taken!: () => void;
    const took = new Promise<void>((resolve) => (taken = resolve));
    let goOn!: () => void;
    const gate = new Promise<void>((resolve) => (goOn = resolve));
    queue.lease = async (request) => {
      const answer = await lease(request);
      taken();
      await gate;
      return answer;
    };
    const worker = await startWorker(url);
    worker.ws.send('{"type":"credit","body":{"received":0,"free":1}}');
    await took;
    expect(await stored(queue, '1')).toMatchObject({ state: 'running' });
    worker.cut();
    await worker.closed;
    await delay(50);
    goOn();
    await until(async () => (await stored(queue, '1'))?.state === 'pending');
    expect(await stored(queue, '1')).toMatchObject({ attempt: 0, crashes: 0 });
  });

  test('before an assignment was sent as a whole gives it back, uncounted', async () => {
    const { url, queue } = await startApi();
    const payload = JSON.stringify('x'.repeat(1_000_000));
    await queue.enqueue(
      Array.from({ length: 50 }, (_, n): NewTask => ({ type: 'a', queue: 'q', key: `${n}`, payload })),
    );
    const worker = await startWorker(url);
    worker.ws.pause();
    worker.ws.send('{"type":"credit","body":{"received":0,"free":50}}');
    const counts = async () => (await queue.overview(['q']))[0]!.states;
    await until(async () => (await counts()).running === 50);
    await delay(50);
    worker.cut();
    await until(async () => (await counts()).pending === 50);
    expect(await stored(queue, '0')).toMatchObject({ attempt: 0, crashes: 0 });
  });

  test('with an assignment that its worker never got is made good for by the next one', async () => {
    const { url, queue } = await startApi();
    await submit(queue, '1');
    const first = await startWorker(url);
    await first.ask('credit', { received: 0, free: 1 });
    await until(() => first.heard.length === 1);
    first.cut();
    await first.closed;
    expect(await stored(queue, '1')).toMatchObject({ state: 'running' });
    // The worker knows nothing of it.
    const second = await startWorker(url, { resume: { session: first.session, received: 0 } });
    expect(await stored(queue, '1')).toMatchObject({ state: 'pending', attempt: 0, crashes: 0 });
    await second.ask('credit', { received: second.received, free: 1 });
    expect((await assignedTo(second)).items).toMatchObject([{ id: 'q~1', attempt: 1 }]);
  });

  test('twice, with nothing arriving in between, loses nothing either', async () => {
    const { url, queue } = await startApi();
    await submit(queue, '1');
    let worker = await startWorker(url);
    const { session } = worker;
    for (let n = 0; n < 3; n++) {
      await worker.ask('credit', { received: worker.received, free: 1 });
      await until(() => worker.heard.length === 1);
      worker.cut();
      await worker.closed;
      worker = await startWorker(url, { resume: { session, received: worker.received } });
    }
    await worker.ask('credit', { received: worker.received, free: 1 });
    expect((await assignedTo(worker)).items).toMatchObject([{ id: 'q~1', attempt: 1, crashes: 0 }]);
  });
});

describe('while the store is away', () => {
  const failing = async (method: 'lease' | 'settle') => {
    const { url, queue } = await startApi(new MemoryQueue() as Queue);
    const working = queue[method].bind(queue) as (...args: never[]) => Promise<never>;
    const trouble = { failures: 0, away: false };
    queue[method] = async (...args: never[]) => {
      // It took effect, and nobody hears of it.
      const answer = await working(...args);
      if (!trouble.away) return answer;
      trouble.failures += 1;
      throw new QueueError('store-unavailable');
    };
    return { url, queue, trouble };
  };

  test('a lease whose answer was lost is repeated, and found', async () => {
    const { url, queue, trouble } = await failing('lease');
    await submit(queue, '1', '2');
    const worker = await startWorker(url);
    trouble.away = true;
    await worker.ask('credit', { received: 0, free: 1 });
    await until(() => trouble.failures === 1);
    trouble.away = false;
    expect((await assignedTo(worker)).items).toMatchObject([{ id: 'q~1', attempt: 1 }]);
    expect(await stored(queue, '2')).toMatchObject({ state: 'pending' });
  });

  test('a settlement is answered 503 and can be repeated, and what was taken along with it is assigned', async () => {
    const { url, queue, trouble } = await failing('settle');
    await submit(queue, '1', '2', '3');
    const worker = await startWorker(url);
    await worker.ask('credit', { received: 0, free: 1 });
    const { items } = await assignedTo(worker);
    trouble.away = true;
    const body = { settlements: [complete(items[0]!)], credit: { received: 1, free: 1 } };
    expect((await worker.ask('settle', body)).body).toMatchObject({ code: 'store-unavailable' });
    trouble.away = false;
    expect((await worker.ask('settle', body)).body).toMatchObject({ outcomes: [{ state: 'completed' }] });
    expect((await assignedTo(worker)).items).toMatchObject([{ id: 'q~2', attempt: 1 }]);
    expect(await stored(queue, '3')).toMatchObject({ state: 'pending' });
  });

  test('resuming is refused, and can be repeated', async () => {
    const { url, queue, trouble } = await failing('lease');
    await submit(queue, '1');
    const first = await startWorker(url);
    await first.ask('credit', { received: 0, free: 1 });
    await until(() => first.heard.length === 1);
    first.cut();
    trouble.away = true;
    const client = await openSocket(url);
    const terms = { workerId: 'w', queues: ['q'], resume: { session: first.session, received: 0 } };
    expect((await client.ask('register', terms)).body).toMatchObject({ code: 'store-unavailable' });
    trouble.away = false;
    expect(await client.ask('register', terms)).toMatchObject({ type: 'registered', body: { received: 1 } });
    expect(await stored(queue, '1')).toMatchObject({ state: 'pending' });
  });
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
