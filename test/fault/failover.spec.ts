import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createRedisQueue, LIMITS, type Queue, QueueError, type TaskId } from '@app/queue';
import { batchesOf, inParallel } from '../support/load.js';
import { startSentinelGroup, type TestGroup } from '../support/sentinel.js';

const QUEUE = 'default';

let group: TestGroup;
let opened: Queue[];

beforeEach(async () => {
  opened = [];
  group = await startSentinelGroup({ appendfsync: 'always' });
}, 60_000);
afterEach(async () => {
  await Promise.all(opened.map((queue) => queue.close()));
  await group?.cleanup();
}, 60_000);

async function open(durability: 'standard' | 'strict'): Promise<Queue> {
  const queue = createRedisQueue({ address: { sentinels: group.sentinels }, durability });
  opened.push(queue);
  await queue.open();
  return queue;
}

test('a failover under load loses nothing that strict has answered', async () => {
  const [producer, consumer] = [await open('strict'), await open('strict')];
  const worker = startWorker(consumer);
  const accepted: TaskId[] = [];
  let repeated = 0;

  await inParallel(
    Array.from({ length: 3_000 }, (_, n) => n),
    16,
    async (n) => {
      accepted.push(await accept(producer, `task-${n}`, () => (repeated += 1)));
      if (accepted.length === 1_000) process.kill(group.master.pid, 'SIGKILL');
    },
  );
  expect(await group.failover).not.toBe(group.master.port);
  // A master that comes back with its file is made a replica, and must take nothing back.
  await group.bringBack();
  await untilReplica();
  while ((await producer.overview([QUEUE]))[0]?.states.completed !== accepted.length) await delay(50);
  const settled = await worker.stop();

  const lost = await missing(producer, accepted);
  const undone = (await states(producer, settled)).filter((state) => state !== 'completed');
  process.stdout.write(
    `strict: accepted ${accepted.length}, repeated ${repeated}, settled ${settled.length}, lost ${lost.length}, undone ${undone.length}\n`,
  );
  expect(lost).toEqual([]);
  expect(undone).toEqual([]);
  expect(new Set(settled).size).toBe(settled.length);
  expect((await producer.overview([QUEUE]))[0]?.states).toMatchObject({
    completed: 3_000,
    pending: 0,
    running: 0,
    failed: 0,
  });
}, 180_000);

async function enqueue(queue: Queue, key: string): Promise<TaskId> {
  const [outcome] = await queue.enqueue([{ type: 't', queue: QUEUE, key }]);
  if (outcome!.status === 'refused') throw outcome!.error;
  return outcome!.task.id;
}

/** Repeats with the same key for as long as nobody knows what became of it. */
function accept(queue: Queue, key: string, onRepeat?: () => void): Promise<TaskId> {
  return insist(() => enqueue(queue, key), onRepeat);
}

async function insist<T>(request: () => Promise<T>, onRepeat?: () => void): Promise<T> {
  for (;;) {
    try {
      return await request();
    } catch (error) {
      if (!(error instanceof QueueError) || error.kind !== 'unavailable') throw error;
      onRepeat?.();
      await delay(20);
    }
  }
}

/** Completes tasks until it is stopped; gives those of which it was told that they are completed. */
function startWorker(queue: Queue): { stop(): Promise<TaskId[]> } {
  const settled: TaskId[] = [];
  let stopping = false;
  const work = async () => {
    while (!stopping) {
      const { tasks } = await insist(() =>
        queue.lease({ queue: QUEUE, workerId: 'w', max: 20, leaseMs: LIMITS.leaseMsMin }),
      );
      const completions = tasks.map(({ id, leaseToken }) => ({
        id,
        leaseToken,
        action: 'complete' as const,
      }));
      const { outcomes } = await insist(() => queue.settle(completions));
      outcomes.forEach((outcome, i) => {
        if (outcome.status === 'settled') settled.push(tasks[i]!.id);
      });
      // What a failover gave back, or took the reply of.
      await insist(() => queue.reap(QUEUE));
      if (tasks.length === 0) await delay(20);
    }
  };
  const working = work();
  return {
    async stop() {
      stopping = true;
      await working;
      return settled;
    },
  };
}

/** The states of the tasks; undefined for those that are gone. */
async function states(queue: Queue, ids: readonly TaskId[]) {
  const found = await Promise.all(batchesOf(ids, 500).map((batch) => insist(() => queue.get(batch))));
  return found.flat().map((task) => task?.state);
}

async function missing(queue: Queue, ids: readonly TaskId[]): Promise<TaskId[]> {
  const found = await states(queue, ids);
  return ids.filter((_, i) => found[i] === undefined);
}

async function untilReplica(): Promise<void> {
  const first = group.connect(group.master.port);
  for (;;) {
    const info = await first.info('replication');
    if (info.includes('role:slave') && info.includes('master_link_status:up')) return;
    await delay(100);
  }
}
