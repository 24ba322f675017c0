import type { Inspector, RegisteredWorker, Task, WorkerActivity } from '@app/queue';

/** Workers times their queues that one answer looks into. */
const LOOKS_MAX = 2_000;
/** Tasks of a worker that are shown. */
const TASKS_MAX = 100;

/** As many of the first workers as can be looked into for one answer, at least one. */
export function within(workers: readonly RegisteredWorker[]): RegisteredWorker[] {
  let looks = 0;
  return workers.filter(({ queues }, index) => {
    looks += queues.length;
    return index === 0 || looks <= LOOKS_MAX;
  });
}

/** What workers do in each of their queues, by id: every queue is asked once for all of them. */
export async function activitiesOf(
  inspector: Inspector,
  workers: readonly RegisteredWorker[],
): Promise<ReadonlyMap<string, WorkerActivity[]>> {
  const found = new Map(workers.map(({ id }): [string, WorkerActivity[]] => [id, []]));
  const queues = [...new Set(workers.flatMap((worker) => worker.queues))];
  await Promise.all(
    queues.map(async (queue) => {
      const ids = workers.filter((worker) => worker.queues.includes(queue)).map(({ id }) => id);
      const activities = await inspector.activity(queue, ids);
      activities.forEach((activity, index) => found.get(ids[index]!)?.push(activity));
    }),
  );
  return found;
}

/** Tasks that a worker has leased, by start. */
export async function tasksOf(inspector: Inspector, { id, queues }: RegisteredWorker): Promise<Task[]> {
  const tasks = await Promise.all(queues.map((queue) => inspector.leased(queue, id, TASKS_MAX)));
  return tasks
    .flat()
    .sort((a, b) => (a.startedAt ?? 0) - (b.startedAt ?? 0))
    .slice(0, TASKS_MAX);
}
