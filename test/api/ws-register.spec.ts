import { cutSockets, openSocket } from '../support/socket.js';
import { until } from '../support/until.js';
import { stored, submit } from './leasing.js';
import { closeApis, startApi } from './support.js';
import { assignedTo, startWorker } from './ws-working.js';

afterEach(cutSockets);
afterEach(closeApis);

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
