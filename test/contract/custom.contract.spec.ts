import {
  type Capability,
  createBackend,
  notSupported,
  type OperateOutcome,
  registerBackend,
  restrictQueue,
} from '@app/queue';
import { describeQueue, ManualClock, MemoryQueue } from '@app/queue/testing';

/* What a program does that brings a backend of its own, with nothing but the front doors. Part of it is in docs/backends.md. */

// docs
/** What it has of all that a backend may lack. Begin with nothing, and add what the suite finds to be there. */
const CAPABILITIES: ReadonlySet<Capability> = new Set<Capability>([]);

/** A backend of one's own: here, our own in memory. */
class OwnQueue extends MemoryQueue {
  /** What depends on the state of a task it refuses by itself; `restrictQueue` refuses the rest. */
  override async cancel(ids: readonly string[]): Promise<OperateOutcome[]> {
    const tasks = await this.get(ids);
    const running = ids.filter((_, index) => tasks[index]?.state === 'running');
    const outcomes = await super.cancel(ids.filter((id) => !running.includes(id)));
    return ids.map((id) =>
      running.includes(id) ? { status: 'refused', error: notSupported('cancel-running') } : outcomes.shift()!,
    );
  }
}

const clock = new ManualClock();

registerBackend('own', () => restrictQueue(new OwnQueue({ clock, random: () => 0.5 }), CAPABILITIES));

/** Jest blocks: what a backend must do, without what it declares to lack. */
describeQueue(
  'own',
  async () => {
    const queue = await createBackend('own', { address: {} });
    await queue.open();
    return { queue, clock, cleanup: () => queue.close() };
  },
  CAPABILITIES,
);
// docs

test('the backends that come with the library are there by name', async () => {
  const queue = await createBackend('memory', { address: {} });
  await queue.open();
  expect(queue.capabilities().has('partitions')).toBe(true);
  await queue.configure('q', { partitions: 2 });
  expect(await queue.enqueue([{ type: 'a', queue: 'q' }])).toMatchObject([{ status: 'accepted' }]);
  await queue.close();
});

test.each(['redis', 'memory', 'own'])('%s cannot be registered again', (name) => {
  expect(() => registerBackend(name, () => new MemoryQueue())).toThrow(`There is a backend ${name} already.`);
});

test.each(['', 'Custom', '1st', 'a_b', 'a'.repeat(33)])('%j names no backend', (name) => {
  expect(() => registerBackend(name, () => new MemoryQueue())).toThrow('cannot name a backend');
});

test('a name that no backend has is refused with those that there are', async () => {
  await expect(createBackend('other', { address: {} })).rejects.toThrow(
    /no backend other, only redis, memory, bullmq, own/,
  );
});
