import { checkCount } from '../core/checks.js';
import { notSupported } from '../core/errors.js';
import { LIMITS } from '../core/limits.js';
import { checkQueueName } from '../core/names.js';
import type {
  Inspector,
  ListQuery,
  QueueOverview,
  TaskPage,
  TenantOverview,
  TenantPage,
  WorkerActivity,
} from '../core/ports/inspector.js';
import type { QueueSettings } from '../core/settings.js';
import type { LogLine, QueueName, Task, TaskId } from '../core/task.js';
import type { Cancelled } from './cancelled.js';
import type { Directory } from './directory.js';
import type { EndWatcher } from './end-watcher.js';
import { addressOf } from './job-ids.js';
import { findTask } from './jobs.js';
import { listJobs } from './list.js';
import { readLines } from './log-lines.js';
import { overviewOf } from './overview.js';
import { DIRECTORY, type Store } from './store.js';

export class BullmqInspector implements Inspector {
  constructor(
    private readonly store: Store,
    private readonly cancelled: Cancelled,
    private readonly directory: Directory,
    private readonly ends: EndWatcher,
  ) {}

  get(ids: readonly TaskId[]): Promise<(Task | undefined)[]> {
    return Promise.all(ids.map((id) => findTask(this.store, this.cancelled, id)));
  }

  async list(query: ListQuery): Promise<TaskPage> {
    const { queue, state, limit } = query;
    checkQueueName(queue, '/queue');
    checkCount('/limit', limit, 1, LIMITS.listLimitMax);
    if (state === undefined) throw notSupported('combined-lists', '/state');
    return this.store.run(queue, (backend) => listJobs(backend, this.cancelled, { ...query, state }));
  }

  async logs(id: TaskId): Promise<LogLine[]> {
    const { queue, jobId } = addressOf(id);
    return this.store.run(queue, async (backend) => {
      const job = await backend.getJobData(jobId);
      if (!job) return [];
      return readLines(backend, jobId, job);
    });
  }

  queues(limit: number, cursor?: QueueName) {
    return this.directory.queues(limit, cursor);
  }

  overview(queues: readonly QueueName[]): Promise<(QueueOverview | undefined)[]> {
    return Promise.all(
      queues.map(async (queue) => {
        checkQueueName(queue, '/queue');
        const [isListed, cancelled] = await Promise.all([
          this.directory.hasQueue(queue),
          this.cancelled.count(queue),
        ]);
        return this.store.run(queue, (backend) => overviewOf(backend, queue, { isListed, cancelled }));
      }),
    );
  }

  /** There are none that can be set. */
  async settings(queue: QueueName): Promise<QueueSettings> {
    checkQueueName(queue, '/queue');
    return {};
  }

  async tenants(): Promise<TenantPage> {
    throw notSupported('tenants');
  }

  async tenant(): Promise<TenantOverview> {
    throw notSupported('tenants');
  }

  async activity(): Promise<WorkerActivity[]> {
    throw notSupported('worker-activity');
  }

  async leased(): Promise<Task[]> {
    throw notSupported('worker-activity');
  }

  async waitForEnd(id: TaskId, timeoutMs: number, signal?: AbortSignal): Promise<Task | undefined> {
    return this.ends.wait(id, timeoutMs, signal);
  }

  async probe(): Promise<{ writeMs: number; readMs: number }> {
    return this.store.run(DIRECTORY, async (backend) => {
      const startedAt = performance.now();
      await backend.setQueueMeta({ probe: Date.now() });
      const writtenAt = performance.now();
      await backend.getQueueMetaField('probe');
      return { writeMs: writtenAt - startedAt, readMs: performance.now() - writtenAt };
    });
  }
}
