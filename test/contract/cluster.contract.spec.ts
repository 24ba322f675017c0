import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { createRedisQueue, type Queue, type RedisQueueOptions } from '@app/queue';
import { describeQueue, ManualClock } from '@app/queue/testing';
import { commandCalls, forgetScripts } from '../support/redis.js';
import { startCluster, type TestCluster } from '../support/cluster.js';

let cluster: TestCluster;
const opened: Queue[] = [];

beforeAll(async () => {
  cluster = await startCluster();
}, 60_000);
afterEach(closeAll);
afterAll(() => cluster?.cleanup(), 30_000);

async function open(options: Partial<RedisQueueOptions> = {}): Promise<Queue> {
  const queue = createRedisQueue({ address: { clusterNodes: cluster.addresses }, ...options });
  opened.push(queue);
  await queue.open();
  return queue;
}

async function closeAll(): Promise<void> {
  await Promise.all(opened.splice(0).map((queue) => queue.close()));
}

describeQueue('RedisQueue on a cluster', async () => {
  const clock = new ManualClock();
  // Else those who follow all queues would follow those of all tests.
  const keyPrefix = `test-${randomUUID()}`;
  const another = () => open({ clock, random: () => 0.5, keyPrefix });
  return { queue: await another(), clock, another, forgetsByClock: false, cleanup: closeAll };
});

test('a script that a node has forgotten is taught to that node once', async () => {
  const queue = await open();
  const name = await cluster.queueOn(1);
  const lease = (workerId: string) => queue.lease({ queue: name, workerId, max: 1, leaseMs: 10_000 });
  await lease('first');
  for (const node of cluster.nodes) {
    await forgetScripts(node);
    await node.config('RESETSTAT');
  }
  await Promise.all(Array.from({ length: 200 }, (_, n) => lease(`w${n}`)));
  const taught = await Promise.all(cluster.nodes.map((node) => commandCalls(node, 'function|load')));
  expect(taught).toEqual([0, 1, 0]);
});

test('a queue whose slot is on the move is away until it has moved, and whole then', async () => {
  const queue = await open();
  const tasks = Array.from({ length: 20 }, (_, n) => ({ type: 't', queue: 'moving', key: `k${n}` }));
  const lease = () => queue.lease({ queue: 'moving', workerId: 'w', max: 30, leaseMs: 10_000 });
  await queue.enqueue(tasks);
  const { moveSome, moveRest } = await cluster.beginMove('fairlane:{moving}');
  await moveSome();

  await expect(queue.enqueue(tasks)).rejects.toMatchObject({ kind: 'unavailable' });
  await expect(lease()).rejects.toMatchObject({ kind: 'unavailable' });

  await moveRest();
  await queue.enqueue(tasks);
  expect((await queue.overview(['moving']))[0]?.states).toMatchObject({ pending: 20, running: 0 });
  expect((await lease()).tasks).toHaveLength(20);
}, 30_000);

test('a wait that began later is heard at once, on whatever node', async () => {
  const queue = await open();
  for (const node of [0, 1, 2]) {
    const name = await cluster.queueOn(node);
    const only = (tenant: string) => ({ tenants: [tenant], steal: false });
    for (const tenant of ['a', 'b']) {
      await queue.lease({ queue: name, workerId: 'w', max: 1, leaseMs: 10_000, ...only(tenant) });
    }
    const controller = new AbortController();
    const first = queue.waitForWork([name], 60_000, controller.signal, ['a']);
    const second = queue.waitForWork([name], 60_000, undefined, ['b']);
    await queue.enqueue([{ type: 't', queue: name, tenant: 'b' }]);
    expect(await second).toBe(name);
    controller.abort();
    expect(await first).toBeUndefined();
  }
});

test('every master of a cluster must be fit, not only the one that is asked first', async () => {
  for (const node of cluster.nodes) {
    await node.config('SET', 'maxmemory-policy', 'allkeys-lru');
    await expect(open()).rejects.toMatchObject({
      code: 'store-unsuitable',
      message: expect.stringMatching(/noeviction/),
    });
    await node.config('SET', 'maxmemory-policy', 'noeviction');
  }
});

test("with durability strict it is the replicas of the queue's own node that confirm", async () => {
  for (const node of cluster.nodes) await node.config('SET', 'appendfsync', 'always');
  await cluster.addReplica(1);
  const queue = await open({ durability: 'strict', replicas: 1 });
  const enqueue = async (node: number) =>
    queue.enqueue([{ type: 't', queue: await cluster.queueOn(node), key: 'k' }]);
  await expect(enqueue(0)).rejects.toMatchObject({
    kind: 'unavailable',
    message: expect.stringMatching(/Only 0 of the 1/),
  });
  expect((await enqueue(1))[0]).toMatchObject({ status: 'accepted' });
  await expect(enqueue(2)).rejects.toMatchObject({
    kind: 'unavailable',
    message: expect.stringMatching(/Only 0 of the 1/),
  });
}, 30_000);
