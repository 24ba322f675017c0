import { partitionQueue, type Queue, type QueueEvent } from '@app/queue';
import { listAll } from '@app/queue/testing';
import {
  complete,
  describeSplitQueue,
  failing,
  LEASE_MS,
  NAME_IN,
  NAMES,
  partitionIn,
  partitionOf,
  PARTITIONS,
} from './split-queue.js';

describeSplitQueue('operating', (split) => {
  it('a pause holds everything back until it is over, a drain everything new', async () => {
    await split.add(...NAMES.map((key) => ({ key })));
    await split.queue.pause(split.name);
    expect(await split.overview()).toMatchObject({ paused: true, draining: false });
    expect(await split.lease(100)).toEqual({ tasks: [], more: false });
    await split.queue.resume(split.name);
    await split.queue.drain(split.name);
    expect(await split.overview()).toMatchObject({ paused: false, draining: true });
    for (const outcome of await split.enqueue(NAMES.map((tenant) => ({ tenant })))) {
      expect(outcome).toMatchObject({ error: { code: 'queue-draining' } });
    }
    expect(await split.take(100)).toHaveLength(40);
  });

  it('a paused tenant is held back, the default tenant everywhere', async () => {
    await split.add(...NAMES.map((key) => ({ key })), ...NAMES.map((tenant) => ({ tenant })));
    await split.queue.pause(split.name, 'default');
    await split.queue.pause(split.name, NAMES[0]);
    const held = await split.take(100);
    expect(held.map(({ tenant }) => tenant).sort()).toEqual(NAMES.slice(1).sort());
    await split.queue.resume(split.name, 'default');
    await split.queue.resume(split.name, NAMES[0]);
    expect(await split.take(100)).toHaveLength(41);
  });

  it('a purge reaches every partition', async () => {
    await split.add(
      ...NAMES.map((key) => ({ key })),
      { tenant: NAME_IN[3] },
      { tenant: NAME_IN[2], delayMs: 1_000 },
    );
    const purge = async (request: Omit<Parameters<Queue['purge']>[0], 'queue'>) => {
      let count = 0;
      for (let more = true; more;) {
        const result = await split.queue.purge({ queue: split.name, ...request });
        count += result.count;
        more = result.more;
      }
      return count;
    };
    expect(await purge({ state: 'pending', tenant: NAME_IN[3] })).toBe(1);
    expect(await purge({ state: 'pending', tenant: 'default' })).toBe(40);
    expect(await purge({ state: 'waiting' })).toBe(1);
    expect((await split.overview()).states).toMatchObject({ cancelled: 42, pending: 0, scheduled: 0 });
    expect(await purge({ state: 'cancelled' })).toBe(42);
    expect(await listAll(split.queue, { queue: split.name })).toEqual([]);
  });

  it('a deleted queue is forgotten but for the number of its partitions', async () => {
    await split.queue.configure(split.name, { concurrency: 8 });
    await split.add(...NAMES.map((key) => ({ key })));
    const remove = async () => {
      while ((await split.queue.deleteQueue(split.name)).more);
    };
    await expect(remove()).rejects.toMatchObject({ code: 'queue-not-empty' });
    expect(await listAll(split.queue, { queue: split.name })).toHaveLength(40);
    await split.queue.settle((await split.take(8)).map(complete));
    await split.queue.cancel(NAMES.map((key) => `${split.name}~${key}`));
    await remove();
    expect(await split.queue.overview([split.name])).toEqual([undefined]);
    expect(await split.queue.settings(split.name)).toEqual({ partitions: PARTITIONS });
    expect(await listAll(split.queue, { queue: split.name })).toEqual([]);
    const tasks = await split.add(...NAMES.map((key) => ({ key })));
    expect(tasks.map(({ id }) => partitionIn(id))).toEqual(NAMES.map((key) => partitionOf(key)));
    expect(await split.take(100)).toHaveLength(40);
  });

  it('those who follow it hear of all partitions, those that are added later too', async () => {
    const events: QueueEvent[] = [];
    let heard: () => void = () => undefined;
    const until = async (count: number) => {
      while (events.length < count) await new Promise<void>((resolve) => (heard = resolve));
    };
    const follower = {
      onEvents: (more: readonly QueueEvent[]) => {
        events.push(...more);
        heard();
      },
      onGap: () => undefined,
    };
    const following = await split.queue.follow(
      { queues: [split.name], states: ['pending', 'cancelled'] },
      follower,
    );
    await split.add(...NAMES.map((key) => ({ key })));
    await until(NAMES.length);
    expect(new Set(events.map((event) => event.queue))).toEqual(new Set([split.name]));
    expect(events.map(({ taskId }) => taskId).sort()).toEqual(
      NAMES.map((key) => split.idOf(partitionOf(key), key)).sort(),
    );
    await split.queue.cancel(NAMES.map((key) => `${split.name}~${key}`));
    await until(2 * NAMES.length);
    await split.queue.configure(split.name, { partitions: 2 * PARTITIONS });
    await split.add(...NAMES.map((key) => ({ tenant: key })));
    await until(3 * NAMES.length);
    const again = await split.queue.follow({ queues: [split.name] }, follower, following.position);
    await split.add({ key: 'last' });
    await until(3 * NAMES.length + 2);
    following.stop();
    again.stop();
  });

  it('a task of it is followed under its id and under queue~key', async () => {
    const [key] = NAMES as [string];
    const [task] = await split.add({ key });
    for (const id of [task!.id, `${split.name}~${key}`]) {
      const { position, task: shown } = (await split.queue.snapshot(id))!;
      expect(shown).toMatchObject({ id: task!.id, queue: split.name, state: 'pending' });
      const told = new Promise<QueueEvent>((resolve) => {
        void split.queue.follow(
          { task: id },
          { onEvents: ([event]) => resolve(event!), onGap: () => undefined },
          position,
        );
      });
      const [held] = await split.take(1);
      expect(await told).toMatchObject({ kind: 'running', taskId: task!.id, queue: split.name });
      await split.queue.settle([{ id: held!.id, leaseToken: held!.leaseToken, action: 'release' }]);
    }
  });

  it('a deletion that is interrupted leaves nothing that nobody can reach', async () => {
    await split.add(...NAMES.map((key) => ({ key })));
    await split.queue.cancel(NAMES.map((key) => `${split.name}~${key}`));
    const broken = partitionQueue(failing(split.inner, 'configure', split.name));
    await expect(broken.deleteQueue(split.name)).rejects.toMatchObject({ kind: 'unavailable' });
    for (const each of split.everyPartition())
      expect(await listAll(split.inner, { queue: each })).toEqual([]);
  });

  it('chores are done in every partition', async () => {
    await split.add(...NAME_IN.map((tenant, i) => ({ tenant, delayMs: 1_000 * (i + 1) })));
    expect(await split.queue.promote(split.name)).toEqual({ count: 0, more: false, nextInMs: 1_000 });
    split.clock.advance(4_000);
    expect(await split.queue.promote(split.name)).toMatchObject({ count: 4, more: false });
    expect(await split.take(10)).toHaveLength(4);
    await split.queue.reap(split.name);
    for (let passed = 0; passed < LEASE_MS; passed += 5_000) {
      split.clock.advance(5_000);
      await split.queue.reap(split.name);
    }
    expect((await split.overview()).states).toMatchObject({ pending: 4, running: 0 });
    await split.queue.settle((await split.take(10)).map(complete));
    split.clock.advance(100 * 86_400_000);
    expect(await split.queue.prune(split.name)).toMatchObject({ count: 4, more: false });
    expect(await listAll(split.queue, { queue: split.name })).toEqual([]);
  });
});
