import { ALL_CAPABILITIES, CAPABILITIES, type Capability, restrictQueue } from '@app/queue';
import { MemoryQueue } from '@app/queue/testing';
import { cutSockets, openSocket } from '../support/socket.js';
import { closeApis, countStored, startApi } from './support.js';

afterEach(cutSockets);
afterEach(closeApis);

/** An API over a backend that lacks these. */
const startWithout = (...missing: Capability[]) => {
  const capabilities = new Set([...ALL_CAPABILITIES].filter((each) => !missing.includes(each)));
  return startApi(restrictQueue(new MemoryQueue(), capabilities));
};

const refusal = (capability: Capability) => ({
  type: 'urn:fairlane:problem:capability-not-supported',
  status: 501,
  code: 'capability-not-supported',
  capability,
  detail: expect.stringContaining(CAPABILITIES[capability]),
});

test.each<[Capability, string, string, object | undefined]>([
  ['tenants', 'GET', '/v1/queues/q/tenants', undefined],
  ['tenants', 'PUT', '/v1/queues/q/tenants/acme', { weight: 2 }],
  ['tenants', 'POST', '/v1/queues/q/tenants/acme/pause', undefined],
  ['stealing', 'POST', '/v1/queues/q/lease', { workerId: 'w', tenants: ['acme'] }],
  ['fifo', 'PUT', '/v1/queues/q', { mode: 'fifo' }],
  ['drain', 'POST', '/v1/queues/q/drain', undefined],
  ['queue-list', 'GET', '/v1/queues', undefined],
  ['combined-lists', 'GET', '/v1/tasks?queue=q', undefined],
  ['worker-registry', 'GET', '/v1/workers', undefined],
  ['ordering-keys', 'POST', '/v1/tasks', { type: 'a', queue: 'q', orderingKey: 'o' }],
  ['atomic-batches', 'POST', '/v1/tasks/batch', { tasks: [{ type: 'a' }, { type: 'a' }] }],
])('a backend without %s answers %s %s with 501 and its name', async (capability, method, path, body) => {
  const { queue, url } = await startWithout(capability);
  await queue.enqueue([{ type: 'a', queue: 'q' }]);
  const answer = await fetch(url + path, {
    method,
    headers: body ? { 'content-type': 'application/json' } : {},
    body: body && JSON.stringify(body),
  });
  expect(answer.headers.get('content-type')).toMatch('application/problem+json');
  expect(await answer.json()).toMatchObject(refusal(capability));
  expect(answer.status).toBe(501);
});

test('the field that asks for it is pointed at', async () => {
  const { http, queue } = await startWithout('ordering-keys');
  const { body } = await http.post('/v1/tasks').send({ type: 'a', orderingKey: 'o' }).expect(501);
  expect(body.errors).toMatchObject([{ pointer: '/orderingKey' }]);
  expect(await countStored(queue)).toBe(0);
});

test.each<[string, Capability, 'post' | 'put', string, object]>([
  ['/retryAfter', 'hold-back', 'post', '/v1/tasks/q~a/release', { leaseToken: 't', retryAfter: '5s' }],
  ['/tenant', 'tenants', 'put', '/v1/queues/q/tenants/acme', { weight: 2 }],
])('by the name that it has over HTTP: %s', async (pointer, capability, method, path, body) => {
  const { http, queue } = await startWithout(capability);
  await queue.enqueue([{ type: 'a', queue: 'q' }]);
  const answer = await http[method](path).send(body).expect(501);
  expect(answer.body.errors).toMatchObject([{ pointer }]);
});

test('in a batch whose tasks are each on their own, those that ask for it are refused', async () => {
  const { http } = await startWithout('ttl');
  const tasks = [{ type: 'a' }, { type: 'a', ttl: '5s' }];
  const { body } = await http.post('/v1/tasks/batch').send({ tasks, atomic: false }).expect(202);
  expect(body).toMatchObject({
    accepted: 1,
    refused: 1,
    items: [{ status: 'accepted' }, { status: 'refused', problem: refusal('ttl') }],
  });
});

test('where all of them ask for it, the batch is answered so', async () => {
  const { http } = await startWithout('ttl');
  const tasks = [{ type: 'a', ttl: '5s' }];
  for (const atomic of [true, false]) {
    const { body } = await http.post('/v1/tasks/batch').send({ tasks, atomic }).expect(501);
    expect(body).toMatchObject({ code: 'capability-not-supported', capability: 'ttl' });
    expect(body.errors).toMatchObject([{ pointer: expect.stringMatching('^/tasks/0'), code: body.code }]);
  }
});

test('over the socket the same problem comes', async () => {
  const { url } = await startWithout('ordering-keys');
  const socket = await openSocket(url);
  expect(await socket.ask('submit', { type: 'a', orderingKey: 'o' })).toMatchObject({
    type: 'problem',
    body: refusal('ordering-keys'),
  });
});

test('a settlement of many that asks for it is refused alone', async () => {
  const { http, queue } = await startWithout('hold-back');
  await queue.enqueue([{ type: 'a' }, { type: 'a' }]);
  const { tasks } = await queue.lease({ queue: 'default', workerId: 'w', max: 2, leaseMs: 30_000 });
  const [held, done] = tasks.map(({ id, leaseToken }) => ({ id, leaseToken }));
  const { body } = await http
    .post('/v1/leases/settle')
    .send({
      settlements: [
        { ...held, action: 'release', retryAfter: '5s' },
        { ...done, action: 'complete' },
      ],
    })
    .expect(200);
  expect(body.outcomes).toMatchObject([{ problem: refusal('hold-back') }, { state: 'completed' }]);
});
