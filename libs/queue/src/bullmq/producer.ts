import { randomBytes } from 'node:crypto';
import type { JobJson } from 'bullmq';
import { monotonicFactory } from 'ulid';
import { notSupported, QueueError } from '../core/errors.js';
import { LIMITS } from '../core/limits.js';
import { taskId } from '../core/names.js';
import { checkNewTask } from '../core/new-task.js';
import type { EnqueueOutcome, NewTask, Producer } from '../core/ports/producer.js';
import type { QueueName, TaskId } from '../core/task.js';
import { groupByQueue } from './by-queue.js';
import type { Cancelled } from './cancelled.js';
import type { Directory } from './directory.js';
import { isDraining } from './draining.js';
import type { IdempotencyKeys, Use } from './idempotency-keys.js';
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

/** A task with its place. */
interface Entry extends Submission {
  /** Of its idempotency key. */
  use?: Use;
  /** The job is that of an earlier submission. */
  again?: boolean;
  /** Known already. */
  outcome?: EnqueueOutcome;
}

export class BullmqProducer implements Producer {
  private readonly ulid = monotonicFactory();

  constructor(
    private readonly store: Store,
    private readonly cancelled: Cancelled,
    private readonly keys: IdempotencyKeys,
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
    const draining = await this.store.run(queue, isDraining);
    const entries = await Promise.all(submissions.map((each) => this.place(queue, each, draining)));
    // A key that a cancelled task has is taken.
    const taken = await Promise.all(
      entries.map(async ({ task, key, outcome }) =>
        outcome || task.key === undefined ? undefined : this.cancelled.find(queue, key),
      ),
    );
    const added = entries.filter(({ outcome }, index) => !draining && !outcome && !taken[index]);
    return this.store.run(queue, async (backend) => {
      await backend.addJobs(
        added.map(({ task, key, nonce }) => ({ job: jobOf(task, key, nonce, now), jobId: key })),
      );
      return Promise.all(entries.map((entry) => this.conclude(queue, entry, { draining, now })));
    });
  }

  /** The id that the job is to have, where it is to be stored. */
  private async place(queue: QueueName, submission: Submission, draining: boolean): Promise<Entry> {
    const { task, key, nonce } = submission;
    const { idempotency } = task;
    if (!idempotency) return submission;
    const use = draining
      ? await this.keys.find(queue, idempotency.key)
      : await this.keys.claim(queue, idempotency, { key, nonce });
    if (!use) return submission;
    if (use.nonce === nonce) return { ...submission, use };
    const taskIdOfUse = taskId(queue, use.key);
    const refuse = (code: 'idempotency-mismatch' | 'task-gone'): Entry => ({
      ...submission,
      outcome: { status: 'refused', error: new QueueError(code, { taskId: taskIdOfUse }) },
    });
    if (use.fingerprint !== idempotency.fingerprint) return refuse('idempotency-mismatch');
    const job = await this.jobOf(queue, use.key);
    if (job && readExtra(job.opts)?.nonce === use.nonce) {
      const replayed = acceptedTask(taskIdOfUse, queue, task, job.timestamp);
      return { ...submission, outcome: { status: 'replayed', task: replayed } };
    }
    // Else whoever used it has stopped, or is about to store the job: it is the same one.
    return use.stored
      ? refuse('task-gone')
      : { ...submission, key: use.key, nonce: use.nonce, use, again: true };
  }

  private async conclude(
    queue: QueueName,
    { task, key, nonce, use, again = false, outcome }: Entry,
    { draining, now }: { draining: boolean; now: number },
  ): Promise<EnqueueOutcome> {
    if (outcome) return outcome;
    const id = taskId(queue, key);
    let createdAt = now;
    // Nobody else has a key that was just made.
    if (task.key !== undefined || again) {
      // BullMQ leaves a job of this id as it is, and does not say so: whose it is tells the nonce.
      const job = await this.jobOf(queue, key);
      if (job && readExtra(job.opts)?.nonce !== nonce) {
        if (use) await this.keys.release(queue, task.idempotency!.key);
        return repeated(id, queue, task, job);
      }
      createdAt = job?.timestamp ?? now;
    }
    if (draining) return { status: 'refused', error: new QueueError('queue-draining', { taskId: id }) };
    if (use) await this.keys.confirm(queue, task.idempotency!.key, use);
    return { status: again ? 'replayed' : 'accepted', task: acceptedTask(id, queue, task, createdAt) };
  }

  /** Alive or cancelled. */
  private async jobOf(queue: QueueName, jobId: string): Promise<JobJson | undefined> {
    const job = await this.store.run(queue, (backend) => backend.getJobData(jobId));
    return job ?? this.cancelled.find(queue, jobId);
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
