import type { QueueEvent } from '../core/ports/observer.js';
import { DEFAULT_TENANT } from '../core/names.js';
import { timeOfPosition } from '../core/event-position.js';
import type { LogLine, QueueName, TaskId } from '../core/task.js';
import { CANCELLED_REASON } from './cancelled.js';
import { type Entry, LOGS_EVENT } from './event-stream.js';
import { taskIdOf } from './job-ids.js';
import { attemptOf } from './job-view.js';
import { delayedState } from './jobs.js';
import { readLinesOf } from './log-lines.js';
import type { Store } from './store.js';

/** Jobs of which type and attempt are known while their events are told. */
const KNOWN_MAX = 10_000;
const WAITING: ReadonlySet<string> = new Set([
  'wait',
  'paused',
  'prioritized',
  'delayed',
  'waiting-children',
]);

interface Known {
  type: string;
  attempt: number;
}

/**
 * BullMQ's events as ours. They lack type and attempt: both are followed from the job's first event on, and read with the
 * job where that was not heard.
 */
export class ToldEvents {
  readonly #known = new Map<string, Known>();

  constructor(
    private readonly store: Store,
    private readonly queue: QueueName,
    /** Lines of others nobody hears of. */
    private readonly isFollowed: (task: TaskId) => boolean,
  ) {}

  async tell(entries: readonly Entry[]): Promise<QueueEvent[]> {
    const events: QueueEvent[] = [];
    // One after the other: what is known of a job comes from its earlier events.
    for (const entry of entries) {
      const event = await this.#tellOne(entry);
      if (event) events.push(event);
    }
    return events;
  }

  async #tellOne(entry: Entry): Promise<QueueEvent | undefined> {
    const { event, jobId, prev, name } = entry;
    const taskId = jobId === undefined ? undefined : taskIdOf(this.queue, jobId);
    if (jobId === undefined || taskId === undefined) return undefined;
    if (event === 'added') {
      this.#know(jobId, { type: name ?? '', attempt: 0 });
      return undefined;
    }
    const told = (kind: QueueEvent['kind'], known: Known | undefined, more?: object): QueueEvent => ({
      kind,
      at: timeOfPosition(entry.position),
      queue: this.queue,
      taskId,
      attempt: known?.attempt ?? 0,
      type: known?.type,
      tenant: DEFAULT_TENANT,
      ...more,
    });
    switch (event) {
      case 'waiting': {
        // Given back, failed or taken away: the job knows how many of its starts count.
        return told('pending', await this.#look(jobId, prev === 'active'));
      }
      case 'delayed': {
        const job = await this.store.run(this.queue, (backend) => backend.getJobData(jobId));
        return told(job ? delayedState(job) : 'scheduled', await this.#look(jobId, false));
      }
      case 'waiting-children':
        return told('scheduled', await this.#look(jobId, false));
      case 'active': {
        const known = this.#known.get(jobId);
        if (known) this.#know(jobId, { ...known, attempt: known.attempt + 1 });
        return told('running', await this.#look(jobId, false));
      }
      case 'completed':
        return told('completed', await this.#look(jobId, false));
      case 'failed': {
        const known = await this.#look(jobId, false);
        const stopped = entry.failedReason === CANCELLED_REASON && !(await this.#isThere(jobId));
        return told(stopped ? 'cancelled' : 'failed', known);
      }
      case 'removed': {
        const known = this.#known.get(jobId);
        this.#known.delete(jobId);
        return WAITING.has(prev ?? '') ? told('cancelled', known) : undefined;
      }
      case 'progress': {
        const { type: _, tenant: __, ...report } = told('progress', await this.#look(jobId, false));
        return { ...report, progress: entry.data };
      }
      case LOGS_EVENT: {
        if (!this.isFollowed(taskId)) return undefined;
        const { type: _, tenant: __, ...report } = told('logs', await this.#look(jobId, false));
        const logs = await this.#lines(jobId, entry);
        return logs.length > 0 ? { ...report, logs } : undefined;
      }
      default:
        return undefined;
    }
  }

  #lines(jobId: string, { at, attempt, lines }: Entry): Promise<LogLine[]> {
    const which = { at: Number(at), attempt: Number(attempt), count: Number(lines) };
    return this.store.run(this.queue, async (backend) => {
      const job = await backend.getJobData(jobId);
      return job ? readLinesOf(backend, jobId, job, which) : [];
    });
  }

  async #isThere(jobId: string): Promise<boolean> {
    return (await this.store.run(this.queue, (backend) => backend.getJobData(jobId))) !== undefined;
  }

  async #look(jobId: string, again: boolean): Promise<Known | undefined> {
    const known = this.#known.get(jobId);
    if (known && !again) return known;
    const job = await this.store.run(this.queue, (backend) => backend.getJobData(jobId));
    if (!job) return known;
    const running = job.processedOn !== undefined && job.finishedOn === undefined && !job.delay && !again;
    return this.#know(jobId, { type: job.name, attempt: attemptOf(job, running) });
  }

  #know(jobId: string, known: Known): Known {
    if (this.#known.size >= KNOWN_MAX) this.#known.delete(this.#known.keys().next().value!);
    this.#known.set(jobId, known);
    return known;
  }
}
