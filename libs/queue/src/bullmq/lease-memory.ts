import type { IQueueBackend } from 'bullmq';
import { LIMITS } from '../core/limits.js';
import type { LeasedTask, LeaseRequest } from '../core/ports/consumer.js';
import { addressOf } from './job-ids.js';
import type { Left } from './lease.js';
import { isLatest, readToken } from './lease-token.js';

/** Workers whose requests are remembered. They name themselves. */
const WORKERS_MAX = 10_000;

type Taken = Left & { tasks: LeasedTask[] };

interface Known {
  requestId: string;
  until: number;
  lease: Promise<Taken>;
}

/**
 * What the latest lease requests of each worker took, so that a repeat finds it: BullMQ knows its jobs by their ids
 * only. It is this process that remembers; a repeat that reaches another one takes new jobs, and the first ones' locks lapse.
 */
export class LeaseMemory {
  /** The newest request of a worker first. */
  readonly #known = new Map<string, readonly Known[]>();

  /** Takes for a new request, and finds what was taken for a repeated one. */
  async once(
    request: LeaseRequest,
    answer: (known: readonly LeasedTask[] | undefined) => Promise<Taken>,
  ): Promise<Taken> {
    const { queue, workerId, requestId, leaseMs } = request;
    if (requestId === undefined) return answer(undefined);
    const of = `${queue} ${workerId}`;
    const known = this.#knownOf(of).find((each) => each.requestId === requestId && each.until > Date.now());
    if (known) return answer((await known.lease).tasks);
    const lease = answer(undefined);
    const entry = { requestId, until: Date.now() + leaseMs, lease };
    // One more until it is known to have taken something: one that takes nothing does not make others forgotten.
    this.#keep(of, [entry, ...this.#knownOf(of)].slice(0, LIMITS.requestsKept + 1));
    const took = await lease.then(
      ({ tasks }) => tasks.length > 0,
      () => false,
    );
    const latest = this.#knownOf(of).filter((each) => each !== entry || took);
    this.#keep(of, latest.slice(0, LIMITS.requestsKept));
    return lease;
  }

  /** Those whose jobs have neither been settled nor taken away. */
  async stillHeld(backend: IQueueBackend, tasks: readonly LeasedTask[]): Promise<LeasedTask[]> {
    const held = await Promise.all(
      tasks.map(async ({ id, leaseToken }) => {
        const { jobId } = addressOf(id);
        const job = await backend.getJobData(jobId);
        const token = readToken(leaseToken, jobId)!;
        return (
          job !== undefined &&
          isLatest(token, job) &&
          job.finishedOn === undefined &&
          job.attemptsMade === token.made &&
          job.stalledCounter === token.stalled &&
          (await backend.isJobInState('active', jobId))
        );
      }),
    );
    return tasks.filter((_, index) => held[index]);
  }

  #knownOf(worker: string): readonly Known[] {
    return this.#known.get(worker) ?? [];
  }

  #keep(worker: string, known: readonly Known[]): void {
    this.#known.delete(worker);
    if (known.length === 0) return;
    if (this.#known.size >= WORKERS_MAX) this.#known.delete(this.#known.keys().next().value!);
    this.#known.set(worker, known);
  }
}
