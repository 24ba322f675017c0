import { splitTaskId, taskId } from '../core/names.js';
import type { Inspector } from '../core/ports/inspector.js';
import type { Task, TaskId } from '../core/task.js';
import type { PartitionCounts } from './partition-counts.js';
import { isPartitionName, partitionNames } from './partition.js';

/**
 * Finds tasks by ids that do not name their partition: `queue~key`, as a submitter knows a task whose key it chose, and as
 * it is called in partition 0.
 */
export class TaskFinder {
  constructor(
    private readonly inner: Pick<Inspector, 'get'>,
    private readonly counts: PartitionCounts,
  ) {}

  /** In order; `undefined` where there is no such task. */
  async get(ids: readonly TaskId[]): Promise<(Task | undefined)[]> {
    const candidates = await this.candidates(ids);
    const found = await this.inner.get(candidates.flat());
    let at = 0;
    return candidates.map(({ length }) => found.slice(at, (at += length)).find((task) => task !== undefined));
  }

  /** Where the tasks of these ids may be: one whose id names no partition may be in any. */
  private candidates(ids: readonly TaskId[]): Promise<TaskId[][]> {
    return Promise.all(
      ids.map(async (id) => {
        const { queue, key } = splitTaskId(id);
        if (isPartitionName(queue)) return [id];
        const count = await this.counts.of(queue);
        return count === 1 ? [id] : partitionNames(queue, count).map((name) => taskId(name, key));
      }),
    );
  }

  /** The ids under which the tasks are stored. An unknown one stays as it is, so that the backend refuses it. */
  async located(ids: readonly TaskId[]): Promise<TaskId[]> {
    const candidates = await this.candidates(ids);
    const doubtful = candidates.filter(({ length }) => length > 1).flat();
    if (doubtful.length === 0) return [...ids];
    const tasks = await this.inner.get(doubtful);
    const present = new Set(tasks.map((task) => task?.id));
    return candidates.map((each, i) => each.find((id) => present.has(id)) ?? ids[i]!);
  }

  async locate(id: TaskId): Promise<TaskId> {
    const [located] = await this.located([id]);
    return located!;
  }
}
