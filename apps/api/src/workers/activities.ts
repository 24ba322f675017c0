import type { Queue, QueueName, RegisteredWorker, Task, WorkerActivity } from '@app/queue';

/** Where to look: not every backend knows what workers do. */
type Source = Pick<Queue, 'activity' | 'leased' | 'capabilities'>;

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
  source: Source,
  workers: readonly RegisteredWorker[],
): Promise<ReadonlyMap<string, WorkerActivity[]>> {
  const found = new Map(workers.map(({ id }): [string, WorkerActivity[]] => [id, []]));
  const queues = [...new Set(workers.flatMap((worker) => worker.queues))].filter(knows(source));
  await Promise.all(
    queues.map(async (queue) => {
      const ids = workers.filter((worker) => worker.queues.includes(queue)).map(({ id }) => id);
      const activities = await source.activity(queue, ids);
      activities.forEach((activity, index) => found.get(ids[index]!)?.push(activity));
    }),
  );
  return found;
}

/** Tasks that a worker has leased, by start. */
export async function tasksOf(source: Source, { id, queues }: RegisteredWorker): Promise<Task[]> {
  const tasks = await Promise.all(
    queues.filter(knows(source)).map((queue) => source.leased(queue, id, TASKS_MAX)),
  );
  return tasks
    .flat()
    .sort((a, b) => (a.startedAt ?? 0) - (b.startedAt ?? 0))
    .slice(0, TASKS_MAX);
}

function knows(source: Source): (queue: QueueName) => boolean {
  return (queue) => source.capabilities(queue).has('worker-activity');
}
