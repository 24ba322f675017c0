import type { JobType } from 'bullmq';
import { checkQueueSettings } from '../core/check-settings.js';
import { checkChange, checkPurge } from '../core/checks.js';
import { notSupported, QueueError, wrongState } from '../core/errors.js';
import { LIMITS } from '../core/limits.js';
import { checkQueueName } from '../core/names.js';
import type { ChoreResult } from '../core/ports/maintainer.js';
import type { OperateOutcome, Operator, PurgeRequest, TaskChange } from '../core/ports/operator.js';
import type { QueueSettings } from '../core/settings.js';
import { isTerminal, type QueueName, type Task, type TaskId, type TaskState } from '../core/task.js';
import { jobErrorOf } from './bullmq-errors.js';
import type { Cancelled } from './cancelled.js';
import type { Directory } from './directory.js';
import { setDraining } from './draining.js';
import { addressOf } from './job-ids.js';
import { bullPriority } from './job-options.js';
import { type Found, findJob } from './jobs.js';
import { minimal } from './job-view.js';
import { isOurs } from './lease-token.js';
import type { Store } from './store.js';

/** What the task is then, or the code of a refusal. */
type Deed = (task: Task, found: Found | undefined) => Promise<Task | 'task-not-found' | 'wrong-state'>;

/** A job that moves on while it is cancelled is looked at again, so often at most. */
const LOOKS_MAX = 4;
const WAITING: ReadonlySet<TaskState> = new Set(['pending', 'scheduled', 'retrying']);

export class BullmqOperator implements Operator {
  constructor(
    private readonly store: Store,
    private readonly cancelled: Cancelled,
    private readonly directory: Directory,
  ) {}

  cancel(ids: readonly TaskId[]): Promise<OperateOutcome[]> {
    return this.each(ids, async (first, firstFound) => {
      const { queue, jobId } = addressOf(first.id);
      let [task, found]: [Task, Found | undefined] = [first, firstFound];
      // It may move on while it is being cancelled.
      for (let looks = 1; looks <= LOOKS_MAX; looks += 1) {
        if (task.state === 'cancelled') return task;
        if (!found || (task.state !== 'running' && !WAITING.has(task.state))) return 'wrong-state';
        if (task.state === 'running') {
          if (task.cancelRequested) return task;
          if (!isOurs(found.job)) throw notToBeAsked(task.id);
          await this.cancelled.ask(queue, jobId, found.job);
        } else if (await this.cancelled.cancel(queue, jobId, found.job)) {
          return (await this.cancelled.task(task.id, queue, jobId)) ?? 'task-not-found';
        }
        const again = await findJob(this.store, this.cancelled, task.id);
        const now = again?.task ?? (await this.cancelled.task(task.id, queue, jobId));
        if (!now) return 'task-not-found';
        [task, found] = [now, again];
      }
      return task.cancelRequested ? task : 'wrong-state';
    });
  }

  retry(ids: readonly TaskId[]): Promise<OperateOutcome[]> {
    return this.each(ids, async (task, found) => {
      const { queue, jobId } = addressOf(task.id);
      if (task.state === 'cancelled') {
        await this.restore(queue, jobId);
      } else {
        if (!found || task.state !== 'failed') return 'wrong-state';
        await this.cancelled.unask(queue, jobId);
        await this.store.run(queue, (backend) =>
          backend.retryFinishedJob(minimal(jobId, found.job), 'failed', { resetAttemptsMade: true }),
        );
      }
      return (await findJob(this.store, this.cancelled, task.id))?.task ?? 'task-not-found';
    });
  }

  async update(changes: readonly TaskChange[]): Promise<OperateOutcome[]> {
    changes.forEach(checkChange);
    return inTurns(
      changes.map(({ id }) => id),
      (id, index) => {
        const { priority, runAtMs } = changes[index]!;
        return this.one(id, async (task, found) => {
          if (!found || !WAITING.has(task.state)) return 'wrong-state';
          const { queue, jobId } = addressOf(id);
          const delayed = task.state !== 'pending' && (found.job.delay ?? 0) > 0;
          if (runAtMs !== undefined && !delayed) return 'wrong-state';
          return this.store.run(queue, async (backend) => {
            if (priority !== undefined && priority !== task.priority) {
              await backend.changePriority(jobId, bullPriority(priority), false);
            }
            const changed = { ...task, priority: priority ?? task.priority };
            if (runAtMs === undefined) return changed;
            const now = Date.now();
            if (runAtMs > now) {
              await backend.changeDelay(jobId, runAtMs - now);
              return { ...changed, dueAt: runAtMs };
            }
            await backend.promote(jobId);
            return { ...changed, state: 'pending' as const, dueAt: undefined };
          });
        });
      },
    );
  }

  remove(ids: readonly TaskId[]): Promise<OperateOutcome[]> {
    return this.each(ids, async (task) => {
      if (!isTerminal(task.state)) return 'wrong-state';
      const { queue, jobId } = addressOf(task.id);
      if (task.state === 'cancelled') {
        await this.cancelled.forget(queue, jobId);
        return task;
      }
      const removed = await this.store.run(queue, (backend) => backend.remove(jobId, false));
      return removed === 1 ? task : 'wrong-state';
    });
  }

  async configure(queue: QueueName, settings: QueueSettings): Promise<void> {
    checkQueueName(queue, '/queue');
    checkQueueSettings(settings);
    // All that can be set needs what BullMQ lacks; what is left says the defaults.
    await this.directory.addQueue(queue);
  }

  async configureTenant(): Promise<void> {
    throw notSupported('tenants');
  }

  async pause(queue: QueueName, tenant?: string): Promise<void> {
    await this.setPaused(queue, true, tenant);
    await this.directory.addQueue(queue);
  }

  async resume(queue: QueueName, tenant?: string): Promise<void> {
    await this.setPaused(queue, false, tenant);
    await this.store.run(queue, (backend) => setDraining(backend, false));
  }

  /** Heeded by submissions that come through here; what is added elsewhere nobody can refuse. */
  async drain(queue: QueueName): Promise<void> {
    checkQueueName(queue, '/queue');
    await this.store.run(queue, (backend) => setDraining(backend, true));
    await this.directory.addQueue(queue);
  }

  async purge(request: PurgeRequest): Promise<ChoreResult> {
    checkPurge(request);
    const { queue, state, tenant } = request;
    checkQueueName(queue, '/queue');
    if (tenant !== undefined) throw notSupported('tenants', '/tenant');
    const most = LIMITS.purgeTasksMax;
    if (state === 'cancelled') return this.cancelled.prune(queue, true);
    if (state === 'expired') return { count: 0, more: false };
    return this.store.run(queue, async (backend) => {
      if (state === 'completed' || state === 'failed') {
        const removed = await backend.cleanJobsByState(state, Date.now(), most);
        const [left = 0] = await backend.getCounts([state]);
        return { count: removed.length, more: removed.length > 0 && left > 0 };
      }
      const types: JobType[] = ['wait', 'prioritized', ...(state === 'waiting' ? ['delayed' as const] : [])];
      let count = 0;
      let looked = 0;
      for (const type of types) {
        if (looked === most) break;
        // From the end that a removal looks at first, so that it costs the same however many wait.
        const [ids = []] = await backend.getRanges([type], 0, most - looked - 1, false);
        looked += ids.length;
        const cancelled = await Promise.all(
          ids.map(async (jobId) => {
            const job = await backend.getJobData(jobId);
            return job !== undefined && this.cancelled.cancel(queue, jobId, job);
          }),
        );
        count += cancelled.filter(Boolean).length;
      }
      // What could not be cancelled stays: the next jobs of schedules.
      const left = sum(await backend.getCounts(types));
      return { count, more: count > 0 && left > looked - count };
    });
  }

  /** Pauses the queue while it goes, as BullMQ demands. */
  async deleteQueue(queue: QueueName): Promise<ChoreResult> {
    checkQueueName(queue, '/queue');
    const result = await this.store.run(queue, async (backend) => {
      const open = await backend.getCounts(['wait', 'prioritized', 'delayed', 'waiting-children', 'active']);
      if (open.some((count) => count > 0)) throw new QueueError('queue-not-empty');
      if (Object.keys(await backend.getQueueMeta()).length === 0) return { count: 0, more: false };
      const before = await backend.getCounts(['completed', 'failed']);
      await backend.pause(true);
      const more = (await backend.obliterate({ force: false, count: LIMITS.purgeTasksMax })) !== 0;
      const after = await backend.getCounts(['completed', 'failed']);
      return { count: sum(before) - sum(after), more };
    });
    if (result.more || (await this.cancelled.obliterate(queue))) return { ...result, more: true };
    await this.directory.removeQueue(queue);
    return result;
  }

  private async setPaused(queue: QueueName, paused: boolean, tenant?: string): Promise<void> {
    checkQueueName(queue, '/queue');
    if (tenant !== undefined) throw notSupported('tenants', '/tenant');
    await this.store.run(queue, async (backend) => {
      if ((await backend.hasQueueMetaField('paused')) !== paused) await backend.pause(paused);
    });
  }

  private each(ids: readonly TaskId[], deed: Deed): Promise<OperateOutcome[]> {
    return inTurns(ids, (id) => this.one(id, deed));
  }

  private async one(id: TaskId, deed: Deed): Promise<OperateOutcome> {
    const refuse = (error: QueueError): OperateOutcome => ({ status: 'refused', error });
    const { queue, jobId } = addressOf(id);
    const found = await findJob(this.store, this.cancelled, id);
    const task = found?.task ?? (await this.cancelled.task(id, queue, jobId));
    const notFound = new QueueError('task-not-found', { taskId: id });
    if (!task) return refuse(notFound);
    try {
      const done = await deed(task, found);
      if (done === 'task-not-found') return refuse(notFound);
      return done === 'wrong-state' ? refuse(wrongState(id, task.state)) : { status: 'done', task: done };
    } catch (error) {
      if (error instanceof QueueError && error.kind === 'unsupported') return refuse(error);
      // It has moved on meanwhile, or belongs to a schedule.
      if (jobErrorOf(error instanceof QueueError ? error.data.cause : error) !== undefined) {
        return refuse(wrongState(id, task.state));
      }
      throw error;
    }
  }

  /** A cancelled job as a new one of the same id. */
  private async restore(queue: QueueName, jobId: string): Promise<void> {
    const job = await this.cancelled.find(queue, jobId);
    if (job) {
      const { delay: _, ...opts } = job.opts;
      const { parent: __, parentKey: ___, repeatJobKey: ____, deduplicationId: _____, ...alone } = job;
      await this.store.run(queue, (backend) =>
        backend.addJob({ ...alone, opts: { ...opts, jobId, priority: job.priority }, delay: 0 }, jobId),
      );
    }
    await this.cancelled.forget(queue, jobId);
  }
}

function notToBeAsked(taskId: TaskId): QueueError {
  const message = 'The task runs on a worker of BullMQ, which nobody can ask to stop.';
  return new QueueError('capability-not-supported', { message, capability: 'cancel-running', taskId });
}

/** Side by side, but what is done to one task more than once in its order. */
function inTurns(
  ids: readonly TaskId[],
  operate: (id: TaskId, index: number) => Promise<OperateOutcome>,
): Promise<OperateOutcome[]> {
  const last = new Map<TaskId, Promise<OperateOutcome>>();
  return Promise.all(
    ids.map((id, index) => {
      const before = last.get(id);
      const outcome = before ? before.then(() => operate(id, index)) : operate(id, index);
      last.set(id, outcome);
      return outcome;
    }),
  );
}

function sum(counts: readonly number[]): number {
  return counts.reduce((all, count) => all + count, 0);
}
