import { LIMITS } from '../core/limits.js';
import { MemoryQueue } from '../memory/memory-queue.js';
import type { WorkerCommand } from '../core/worker.js';
import { Presence } from './presence.js';

const ID = 'w';

function setup() {
  const queue = new MemoryQueue();
  const heard: (WorkerCommand | undefined)[] = [];
  const presence = new Presence({
    registry: queue,
    describe: () => ({ id: ID, queues: ['q'] }),
    onCommand: (command) => heard.push(command),
    ttlMs: LIMITS.workerTtlMsMin,
  });
  return { queue, heard, presence };
}

async function signs(queue: MemoryQueue, count: number): Promise<void> {
  const { register } = queue;
  await new Promise<void>((resolve) => {
    let given = 0;
    queue.register = (...args) => {
      given += 1;
      if (given > count) resolve();
      return register.apply(queue, args);
    };
  });
  queue.register = register;
}

it('says goodbye when it stops, and nothing where it never began', async () => {
  const { queue, presence } = setup();
  await queue.register({ id: ID, queues: ['q'] }, 60_000);
  await setup().presence.stop();
  expect(await queue.worker(ID)).toBeDefined();
  presence.start();
  await signs(queue, 1);
  await presence.stop();
  expect(await queue.worker(ID)).toBeUndefined();
});

it('hears of what is wanted once, and of each change', async () => {
  const { queue, heard, presence } = setup();
  presence.start();
  await signs(queue, 1);
  expect(heard).toEqual([]);
  await queue.tell(ID, 'quiet');
  await signs(queue, 2);
  expect(heard).toEqual(['quiet']);
  await queue.tell(ID, 'terminate');
  await signs(queue, 2);
  await queue.tell(ID);
  await signs(queue, 2);
  expect(heard).toEqual(['quiet', 'terminate', undefined]);
  await presence.stop();
});

it('goes on after the store was away, and stops while it is', async () => {
  const { queue, presence } = setup();
  const { register } = queue;
  let failures = 0;
  queue.register = () => {
    failures += 1;
    if (failures === 2) queue.register = register;
    return Promise.reject(new Error('away'));
  };
  presence.start();
  while (!(await queue.worker(ID))) await new Promise((resolve) => setImmediate(resolve));
  queue.deregister = () => Promise.reject(new Error('away'));
  await presence.stop();
});
