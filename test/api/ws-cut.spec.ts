import { setTimeout as delay } from 'node:timers/promises';
import { QueueError, type NewTask, type Queue } from '@app/queue';
import { MemoryQueue } from '../../libs/queue/src/memory/memory-queue.js';
import { type AssignedTask, cutSockets, openSocket } from '../support/socket.js';
import { until } from '../support/until.js';
import { stored, submit } from './leasing.js';
import { closeApis, startApi } from './support.js';
import { assignedTo, complete, startWorker } from './ws-working.js';

afterEach(cutSockets);
afterEach(closeApis);

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
