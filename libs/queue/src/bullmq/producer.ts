import { randomBytes } from 'node:crypto';
import type { JobJson } from 'bullmq';
import { monotonicFactory } from 'ulid';
import { notSupported, QueueError } from '../core/errors.js';
import { LIMITS } from '../core/limits.js';
import { taskId } from '../core/names.js';
import { checkNewTask } from '../core/new-task.js';
import type { EnqueueOutcome, NewTask, Producer } from '../core/ports.js';
import type { QueueName, TaskId } from '../core/task.js';
import { groupByQueue } from './by-queue.js';
import type { Cancelled } from './cancelled.js';
import type { Directory } from './directory.js';
import { isDraining } from './draining.js';
import { isFreeKey } from './job-ids.js';
import { dataOf, isSameSubmission, optionsOf, readExtra } from './job-options.js';
import { acceptedTask } from './job-view.js';
import type { Store } from './store.js';

/** A task on its way in. */
interface Submission {
  index: number;
  task: NewTask;
  key: string;
  nonce: string;
}

export class BullmqProducer implements Producer {
  private readonly ulid = monotonicFactory();

  constructor(
    private readonly store: Store,
    private readonly cancelled: Cancelled,
    private readonly directory: Directory,
  ) {}

  async enqueue(tasks: readonly NewTask[]): Promise<EnqueueOutcome[]> {
    if (tasks.length > LIMITS.batchTasksMax) {
      throw new QueueError('invalid-request', {
        message: `A batch has at most ${LIMITS.batchTasksMax} tasks; this one has ${tasks.length}.`,
      });
    }
    tasks.forEach(checkNewTask);
    const outcomes = tasks.map<EnqueueOutcome>(() => ({
      status: 'refused',
      error: notSupported('free-keys', '/id'),
    }));
    const fitting = (await this.submissions(tasks)).filter(
      ({ task: { key } }) => key === undefined || isFreeKey(key),
    );
    await Promise.all(
      [...groupByQueue(fitting)].map(async ([queue, submissions]) => {
        await this.directory.addQueue(queue);
        const replies = await this.add(queue, submissions);
        submissions.forEach(({ index }, i) => (outcomes[index] = replies[i]!));
      }),
    );
    return outcomes;
  }

  queueOf(type: string): Promise<QueueName> {
    return this.directory.queueOf(type);
  }

  private async add(queue: QueueName, submissions: readonly Submission[]): Promise<EnqueueOutcome[]> {
    const now = Date.now();
    const [draining, ...known] = await Promise.all([
      this.store.run(queue, isDraining),
      // A key that a cancelled task has is taken.
      ...submissions.map(async ({ task, key }) =>
        task.key === undefined ? undefined : this.cancelled.find(queue, key),
      ),
    ]);
    const added = draining ? [] : submissions.filter((_, index) => !known[index]);
    return this.store.run(queue, async (backend) => {
      await backend.addJobs(
        added.map(({ task, key, nonce }) => ({ job: jobOf(task, key, nonce, now), jobId: key })),
      );
      return Promise.all(
        submissions.map(async ({ task, key, nonce }, index): Promise<EnqueueOutcome> => {
          const id = taskId(queue, key);
          // Nobody else has a key that was just made.
          if (task.key !== undefined) {
            // BullMQ leaves a job of this id as it is, and does not say so: whose it is tells the nonce.
            const job = (await backend.getJobData(key)) ?? known[index];
            if (job && readExtra(job.opts)?.nonce !== nonce) return repeated(id, queue, task, job);
          }
          if (draining) return { status: 'refused', error: new QueueError('queue-draining', { taskId: id }) };
          return { status: 'accepted', task: acceptedTask(id, queue, task, now) };
        }),
      );
    });
  }

  private submissions(tasks: readonly NewTask[]): Promise<(Submission & { queue: QueueName })[]> {
    return Promise.all(
      tasks.map(async (task, index) => ({
        index,
        task,
        queue: task.queue ?? (await this.directory.queueOf(task.type)),
        key: task.key ?? this.ulid(),
        nonce: randomBytes(9).toString('base64url'),
      })),
    );
  }
}

function repeated(id: TaskId, queue: QueueName, task: NewTask, job: JobJson): EnqueueOutcome {
  const extra = readExtra(job.opts);
  if (extra && isSameSubmission(job, extra, task)) {
    return { status: 'replayed', task: acceptedTask(id, queue, task, job.timestamp) };
  }
  return { status: 'refused', error: new QueueError('id-conflict', { taskId: id }) };
}

function jobOf(task: NewTask, key: string, nonce: string, now: number): JobJson {
  return {
    id: key,
    name: task.type,
    data: dataOf(task),
    opts: optionsOf(task, key, nonce, now),
    progress: 0,
    attemptsMade: 0,
    attemptsStarted: 0,
    stalledCounter: 0,
    timestamp: now,
    failedReason: '',
    returnvalue: '',
  };
}
