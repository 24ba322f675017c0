import { randomUUID } from 'node:crypto';
import type { IQueueBackend, JobJson } from 'bullmq';
import { QueueError } from '../core/errors.js';
import { LIMITS } from '../core/limits.js';
import type { Logger } from '../core/logger.js';
import { checkQueueName } from '../core/names.js';
import type { EnqueueOutcome, NewTask } from '../core/ports/producer.js';
import type { Queue } from '../core/ports/queue.js';
import type { RedisAddress } from '../core/redis-address.js';
import type { QueueName, Task, TaskId } from '../core/task.js';
import { heldTask, isHeld } from './held-task.js';
import { taskIdOf } from './job-ids.js';
import { dueAtOf } from './job-view.js';
import { DIRECTORY, Store } from './store.js';

/** Jobs moved at a time. */
const SLICE_JOBS = 100;
/** Jobs that cannot be moved and are passed over. */
const LEFT_MAX = 10_000;
/** In the order in which BullMQ takes from them. */
const SOURCES = ['wait', 'prioritized', 'delayed'] as const;

export interface MoveOptions {
  /** Where BullMQ's queue is. */
  from: { address: RedisAddress; prefix?: string };
  queue: QueueName;
  /** Where its tasks are to be; open. */
  to: Pick<Queue, 'enqueue' | 'get' | 'update' | 'cancel' | 'remove'>;
  /** After each slice. */
  onProgress?: (progress: MoveProgress) => void;
  /** Ends the move after the slice under way. */
  signal?: AbortSignal;
  logger?: Logger;
}

export interface MoveProgress {
  /** Jobs that are tasks now. */
  moved: number;
  /** Jobs that wait, those that are left where they are included. */
  waiting: number;
  /** Jobs that run: when they fail, they wait again. */
  running: number;
  /** Jobs that cannot be moved, with the reason. */
  left: readonly { jobId: string; reason: string }[];
}

/** One job on its way: what becomes of its task once the job is gone. */
interface Entry {
  jobId: string;
  /** Absent: at once. */
  runAtMs?: number;
}

interface Moving extends Entry {
  job: JobJson;
}

/**
 * Moves all jobs that wait from a queue of BullMQ's to a queue of the same name elsewhere, under the same ids.
 *
 * The queue is paused, and stays so: what waits there is started by nobody. A job's task is stored so that it cannot start,
 * then the job is removed, then the task is let go. So there is a moment when both exist and neither can run, and none when
 * there is neither, or when both can run. Which jobs are under way is written down before; the next move begins with them.
 *
 * @throws QueueError `wrong-state` when another move of the queue is under way, or somebody has resumed the queue meanwhile
 */
export async function moveQueue(options: MoveOptions): Promise<MoveProgress> {
  const { from, queue, signal, onProgress } = options;
  checkQueueName(queue, '/queue');
  const logger = options.logger ?? { info: () => undefined, warn: () => undefined, error: () => undefined };
  const prefix = from.prefix ?? 'bull';
  const connectionName = `fairlane-move:${prefix}:${queue}`;
  const store = new Store({ address: from.address, prefix, logger, connectionName });
  await store.open();
  try {
    await checkAlone(store, queue, connectionName);
    const move = new Move(store, queue, options.to);
    await move.begin();
    while (!signal?.aborted && (await move.step())) onProgress?.(await move.progress());
    return await move.progress();
  } finally {
    await store.close();
  }
}

/**
 * Two moves at once could take each other's steps for somebody else's. Whoever comes is listed before it looks, so of two that
 * come together at least one is refused; one that is killed is listed no longer.
 */
async function checkAlone(store: Store, queue: QueueName, connectionName: string): Promise<void> {
  const lists = await store.run(queue, (backend) => backend.getClientList());
  const moves = lists
    .join('\n')
    .split(/\s+/)
    .filter((field) => field === `name=${connectionName}`);
  if (moves.length <= 1) return;
  throw new QueueError('wrong-state', {
    message: `Queue ${queue} is being moved already. Try again when that move has ended.`,
  });
}

class Move {
  readonly #left = new Map<string, string>();
  #moved = 0;

  constructor(
    private readonly store: Store,
    private readonly queue: QueueName,
    private readonly to: MoveOptions['to'],
  ) {}

  /** Pauses the queue and finishes what earlier moves have left under way. */
  async begin(): Promise<void> {
    await this.#run(async (backend) => {
      if (!(await backend.hasQueueMetaField('paused'))) await backend.pause(true);
    });
    const fields = await this.store.run(DIRECTORY, (backend) => backend.getQueueMeta());
    for (const [field, text] of Object.entries(fields)) {
      if (field.startsWith(this.#journal(''))) await this.#finish(field, JSON.parse(text) as Entry[]);
    }
  }

  /** Whether there was anything to move. */
  async step(): Promise<boolean> {
    for (const source of SOURCES) {
      const jobs = await this.#next(source);
      if (jobs.length === 0) continue;
      // A field of its own, so that two moves of one queue do not write over each other's.
      const field = this.#journal(randomUUID());
      await this.#write(field, jobs);
      await this.#move(jobs);
      await this.#forget(field);
      return true;
    }
    return false;
  }

  async progress(): Promise<MoveProgress> {
    const [wait = 0, prioritized = 0, delayed = 0, running = 0] = await this.#run((backend) =>
      backend.getCounts([...SOURCES, 'active']),
    );
    return {
      moved: this.#moved,
      waiting: wait + prioritized + delayed,
      running,
      left: [...this.#left].map(([jobId, reason]) => ({ jobId, reason })),
    };
  }

  /** The oldest jobs of a list that can be moved, and when their tasks are to start. */
  async #next(source: (typeof SOURCES)[number]): Promise<Moving[]> {
    return this.#run(async (backend) => {
      for (let from = 0; ; from += SLICE_JOBS) {
        const [range = []] = await backend.getRanges([source], from, from + SLICE_JOBS - 1, true);
        // A list comes in the order it is stored in.
        const ids = source === 'wait' ? [...range].reverse() : range;
        const found = await this.#jobs(ids.map((jobId) => ({ jobId })));
        const jobs = found.filter(({ jobId, job }) => !this.#left.has(jobId) && this.#taskOf(jobId, job));
        if (source === 'delayed') {
          for (const each of jobs) each.runAtMs = await dueAt(backend, each, from + ids.indexOf(each.jobId));
        }
        if (jobs.length > 0 || ids.length < SLICE_JOBS) return jobs;
      }
    });
  }

  /** What an earlier move has begun: whose job is gone is let go, the others are moved. */
  async #finish(field: string, entries: readonly Entry[]): Promise<void> {
    const jobs = await this.#jobs(entries);
    const there = new Set(jobs.map(({ jobId }) => jobId));
    await this.#letGo(entries.filter(({ jobId }) => !there.has(jobId)));
    // Where the queue was resumed in between.
    const started = await Promise.all(jobs.map((each) => this.#hasStarted(each)));
    await this.#drop(jobs.filter((_, index) => started[index]));
    await this.#move(jobs.filter(({ jobId, job }, index) => !started[index] && this.#taskOf(jobId, job)));
    await this.#forget(field);
  }

  async #move(jobs: readonly Moving[]): Promise<void> {
    const tasks = jobs.flatMap(({ jobId, job }) => this.#taskOf(jobId, job) ?? []);
    const outcomes = await this.to.enqueue(tasks);
    const stopping = outcomes.find(isNoFaultOfTheTask);
    if (stopping) throw stopping.error;
    const stored = await this.#tasks(jobs);
    const held = jobs.filter(({ jobId }, index) => {
      const outcome = outcomes[index]!;
      // One of this id that is not held is none that has come with the job.
      if (outcome.status !== 'refused' && isHeld(stored[index])) return true;
      this.#leave(jobId, outcome.status === 'refused' ? outcome.error.message : 'Another task has its id.');
      return false;
    });
    await this.#removeJobs(held);
  }

  /** Removes the jobs whose tasks are held, and lets these go. */
  async #removeJobs(jobs: readonly Moving[]): Promise<void> {
    const removed = await this.#run(async (backend) => {
      if (!(await backend.hasQueueMetaField('paused'))) return [];
      return Promise.all(jobs.map(async ({ jobId }) => (await backend.remove(jobId, false)) === 1));
    });
    await this.#letGo(jobs.filter((_, index) => removed[index]));
    const kept = jobs.filter((_, index) => !removed[index]);
    if (kept.length === 0) return;
    await this.#drop(kept);
    throw new QueueError('wrong-state', {
      message: `Queue ${this.queue} was resumed while it was moved. What was moved is whole; start again to go on.`,
    });
  }

  async #hasStarted({ jobId, job }: Moving): Promise<boolean> {
    if (job.finishedOn !== undefined || job.processedOn === undefined) return job.finishedOn !== undefined;
    return this.#run((backend) => backend.isJobInState('active', jobId));
  }

  /** Takes the tasks back whose jobs are with BullMQ. */
  async #drop(entries: readonly Entry[]): Promise<void> {
    const tasks = await this.#tasks(entries);
    const ids = entries.filter((_, index) => isHeld(tasks[index])).map((entry) => this.#idOf(entry));
    if (ids.length === 0) return;
    await this.to.cancel(ids);
    await this.to.remove(ids);
  }

  /** In their order. Those that are not held any more have been let go before. */
  async #letGo(entries: readonly Entry[]): Promise<void> {
    const tasks = await this.#tasks(entries);
    const changes = entries.flatMap((entry, index) =>
      isHeld(tasks[index]) ? [{ id: this.#idOf(entry), runAtMs: entry.runAtMs ?? 0 }] : [],
    );
    if (changes.length > 0) await this.to.update(changes);
    this.#moved += changes.length;
  }

  /** `undefined` where the job is left. */
  #taskOf(jobId: string, job: JobJson): NewTask | undefined {
    const task = heldTask(this.queue, jobId, job);
    return typeof task === 'string' ? this.#leave(jobId, task) : task;
  }

  #leave(jobId: string, reason: string): undefined {
    if (this.#left.size >= LEFT_MAX) {
      throw new QueueError('wrong-state', {
        message: `${LEFT_MAX} jobs cannot be moved; the last: ${reason}`,
      });
    }
    this.#left.set(jobId, reason);
  }

  #idOf({ jobId }: Entry): TaskId {
    return taskIdOf(this.queue, jobId)!;
  }

  #tasks(entries: readonly Entry[]): Promise<(Task | undefined)[]> {
    return this.to.get(entries.map((entry) => this.#idOf(entry)));
  }

  /** Those that there are. */
  #jobs(entries: readonly Entry[]): Promise<Moving[]> {
    return this.#run(async (backend) => {
      const jobs = await Promise.all(entries.map(({ jobId }) => backend.getJobData(jobId)));
      return entries.flatMap((entry, index) => (jobs[index] ? [{ ...entry, job: jobs[index] }] : []));
    });
  }

  #journal(slice: string): string {
    return `moving:${this.queue}:${slice}`;
  }

  async #write(field: string, jobs: readonly Moving[]): Promise<void> {
    const text = JSON.stringify(jobs.map(({ jobId, runAtMs }): Entry => ({ jobId, runAtMs })));
    await this.store.run(DIRECTORY, (backend) => backend.setQueueMeta({ [field]: text }));
  }

  async #forget(field: string): Promise<void> {
    await this.store.run(DIRECTORY, (backend) => backend.removeQueueMetaFields([field]));
  }

  #run<T>(operation: (backend: IQueueBackend) => Promise<T>): Promise<T> {
    return this.store.run(this.queue, operation);
  }
}

/** Refused for what the queue is in, so that all others would be, too. */
function isNoFaultOfTheTask(
  outcome: EnqueueOutcome,
): outcome is Extract<EnqueueOutcome, { status: 'refused' }> {
  if (outcome.status !== 'refused') return false;
  return outcome.error.kind === 'limited' || outcome.error.code === 'queue-draining';
}

/**
 * When a delayed job is due. Where its fields do not tell, the number of those that are due before a moment does: it is the
 * first moment before which there are more than stand in front of it.
 */
async function dueAt(backend: IQueueBackend, { job }: Moving, place: number): Promise<number | undefined> {
  const told = dueAtOf(job);
  if (told !== undefined) return told;
  let [from, to] = [job.timestamp, Date.now() + LIMITS.delayMsMax];
  while (from < to) {
    const middle = Math.floor((from + to) / 2);
    const [before = 0] = await backend.getCounts(['delayed'], middle + 1);
    if (before > place) to = middle;
    else from = middle + 1;
  }
  return from;
}
