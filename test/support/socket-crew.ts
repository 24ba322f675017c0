import { setTimeout as delay } from 'node:timers/promises';
import { expect } from '@jest/globals';
import { post, type TaskBody } from './client.js';
import type { AssignedTask } from './socket.js';
import { SocketWorker } from './socket-worker.js';

/* Many workers on sockets, and what must have become of their tasks. */

/** Submits a thousand tasks or fewer at once; answers their ids. */
export const submit = async (url: string, queue: string, count: number, part = '0') => {
  const tasks = Array.from({ length: count }, (_, n) => ({ type: 'a', queue, id: `${part}-${n}` }));
  const { status } = await post(`${url}/v1/tasks/batch`, { tasks });
  expect(status).toBe(202);
  return tasks.map(({ id }) => `${queue}~${id}`);
};

/** Workers that go on at the next address when they are cut, and how often each task was executed. */
export const startWorkers = (urls: string[], queue: string, count: number, slots: number) => {
  const executed = new Map<string, number>();
  const execute = async ({ id }: AssignedTask) => {
    executed.set(id, (executed.get(id) ?? 0) + 1);
    await delay(Math.random() * 30);
  };
  const workers = Array.from(
    { length: count },
    (_, n) => new SocketWorker(urls, { workerId: `w${n}`, queue, slots, execute }),
  );
  const running = workers.map((worker) => worker.run());
  const stop = async () => {
    await Promise.all(workers.map((worker) => worker.stop()));
    await Promise.all(running);
  };
  return { workers, executed, stop };
};

/** What every task should be that was never lost and never doubled. */
export const expectOnce = (tasks: TaskBody[], executed: Map<string, number>) => {
  const odd = tasks.filter(
    ({ id, state, attempt, crashes }) =>
      state !== 'completed' || attempt !== 1 || crashes !== 0 || executed.get(id) !== 1,
  );
  expect(odd).toEqual([]);
};
