import type { IQueueBackend } from 'bullmq';
import type { LeasedTask, LeaseRequest } from '../core/ports/consumer.js';
import { addressOf } from './job-ids.js';
import type { Left } from './lease.js';
import { isLatest, readToken } from './lease-token.js';

/** Requests remembered. Workers name themselves. */
const KEPT_MAX = 10_000;

type Taken = Left & { tasks: LeasedTask[] };

interface Known {
  requestId: string;
  until: number;
  lease: Promise<Taken>;
}

/**
 * What the latest lease request of each worker took, so that its repeat finds it: BullMQ knows its jobs by their ids only.
 * It is this process that remembers; a repeat that reaches another one takes new jobs, and the first ones' locks lapse.
 */
export class LeaseMemory {
  readonly #known = new Map<string, Known>();

  /** Takes for a new request, and finds what was taken for a repeated one. */
  async once(
    request: LeaseRequest,
    answer: (known: readonly LeasedTask[] | undefined) => Promise<Taken>,
  ): Promise<Taken> {
    const { queue, workerId, requestId, leaseMs } = request;
    if (requestId === undefined) return answer(undefined);
    const of = `${queue} ${workerId}`;
    const known = this.#known.get(of);
    if (known?.requestId === requestId && known.until > Date.now()) return answer((await known.lease).tasks);
    const lease = answer(undefined);
    const entry = { requestId, until: Date.now() + leaseMs, lease };
    const remember = () => {
      if (this.#known.size >= KEPT_MAX) this.#known.delete(this.#known.keys().next().value!);
      this.#known.delete(of);
      this.#known.set(of, entry);
    };
    remember();
    try {
      const { tasks } = await lease;
      // One that took nothing does not make the one before forgotten.
      if (tasks.length === 0 && this.#known.get(of) === entry) {
        if (known) this.#known.set(of, known);
        else this.#known.delete(of);
      }
    } catch (error) {
      if (this.#known.get(of) === entry) this.#known.delete(of);
      throw error;
    }
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
}
