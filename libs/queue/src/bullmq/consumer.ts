import type { IQueueBackend } from 'bullmq';
import { checkExtension, checkLeaseMs, checkLeaseRequest, checkSettlement } from '../core/checks.js';
import { QueueError } from '../core/errors.js';
import { checkName, checkQueueName } from '../core/names.js';
import type {
  Consumer,
  Extension,
  ExtendOutcome,
  Lease,
  LeaseRequest,
  Settlement,
  SettleOutcome,
} from '../core/ports/consumer.js';
import type { QueueName } from '../core/task.js';
import { waitThenLease } from '../core/wait-then-lease.js';
import { tooDeep } from './bullmq-errors.js';
import { groupByQueue } from './by-queue.js';
import type { Cancelled } from './cancelled.js';
import type { Directory } from './directory.js';
import { promoteDue } from './due.js';
import { addressOf } from './job-ids.js';
import { takeJobs, whatIsLeft } from './lease.js';
import { LeaseMemory } from './lease-memory.js';
import { readToken } from './lease-token.js';
import { addLines } from './log-lines.js';
import { settleJob } from './settle.js';
import type { Store } from './store.js';
import type { WorkBells } from './work-bells.js';

export class BullmqConsumer implements Consumer {
  private readonly memory = new LeaseMemory();

  constructor(
    private readonly store: Store,
    private readonly cancelled: Cancelled,
    private readonly directory: Directory,
    private readonly bells: WorkBells,
    private readonly random: () => number,
  ) {}

  async lease(request: LeaseRequest): Promise<Lease> {
    checkLeaseRequest(request);
    const { queue, max } = request;
    checkQueueName(queue, '/queue');
    const { full, ...lease } = await this.memory.once(request, async (known) =>
      this.store.run(queue, async (backend) => {
        if (known)
          return { tasks: await this.memory.stillHeld(backend, known), ...(await whatIsLeft(backend)) };
        if (max === 0) {
          await promoteDue(backend);
          return { tasks: [], ...(await whatIsLeft(backend)) };
        }
        const taken = await takeJobs(this.store, this.cancelled, backend, request);
        // The reaper has to know of the queue, whoever filled it.
        if (taken.tasks.length > 0) await this.directory.addQueue(queue);
        return taken;
      }),
    );
    this.bells.tell(queue, { ...lease, full });
    return lease;
  }

  async settle(
    settlements: readonly Settlement[],
    next?: LeaseRequest,
  ): Promise<{ outcomes: SettleOutcome[]; lease?: Lease }> {
    settlements.forEach(checkSettlement);
    if (next) checkLeaseRequest(next);
    const addressed = settlements.map((settlement, index) => ({
      ...addressOf(settlement.id),
      settlement,
      index,
    }));
    const outcomes: SettleOutcome[] = Array.from({ length: settlements.length });
    await Promise.all(
      [...groupByQueue(addressed)].map(([queue, group]) =>
        this.store.run(queue, (backend) =>
          Promise.all(
            group.map(async ({ jobId, settlement, index }) => {
              const held = { queue, jobId, settlement };
              outcomes[index] = await settleJob(backend, this.cancelled, held, this.random);
            }),
          ),
        ),
      ),
    );
    return next ? { outcomes, lease: await this.lease(next) } : { outcomes };
  }

  async extend(extensions: readonly Extension[], leaseMs: number): Promise<ExtendOutcome[]> {
    checkLeaseMs(leaseMs);
    extensions.forEach(checkExtension);
    const addressed = extensions.map((extension, index) => ({
      ...addressOf(extension.id),
      extension,
      index,
    }));
    const outcomes: ExtendOutcome[] = Array.from({ length: extensions.length });
    await Promise.all(
      [...groupByQueue(addressed)].map(([queue, group]) =>
        this.store.run(queue, async (backend) => {
          await Promise.all(
            group.map(async ({ jobId, extension, index }) => {
              const held = { queue, jobId, extension };
              outcomes[index] = await extendJob(backend, this.cancelled, held, leaseMs);
            }),
          );
        }),
      ),
    );
    return outcomes;
  }

  async waitForWork(
    queues: readonly QueueName[],
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<QueueName | undefined> {
    for (const queue of queues) checkQueueName(queue, '/queue');
    return this.bells.wait(queues, timeoutMs, signal);
  }

  async waitAndLease(request: LeaseRequest, timeoutMs: number, signal?: AbortSignal): Promise<Lease> {
    return waitThenLease(this, request, timeoutMs, signal);
  }

  async announceTypes(routes: Readonly<Record<string, QueueName>>): Promise<void> {
    for (const [type, queue] of Object.entries(routes)) {
      checkName('type', type, '/type');
      checkQueueName(queue, '/queue');
    }
    return this.directory.announceTypes(routes);
  }
}

async function extendJob(
  backend: IQueueBackend,
  cancelled: Cancelled,
  held: { queue: QueueName; jobId: string; extension: Extension },
  leaseMs: number,
): Promise<ExtendOutcome> {
  const { queue, jobId, extension } = held;
  const { id, leaseToken, progress, logs } = extension;
  const token = readToken(leaseToken, jobId);
  const job = await backend.getJobData(jobId);
  const refuse = (code: 'task-not-found' | 'lease-lost'): ExtendOutcome => ({
    status: 'refused',
    error: new QueueError(code, { taskId: id }),
  });
  if (!job) return refuse('task-not-found');
  if (!token || job.attemptsStarted !== token.started) return refuse('lease-lost');
  const leaseExpiresAt = Date.now() + leaseMs;
  const [failed, cancelRequested] = await Promise.all([
    backend.extendLocks([jobId], [token.lock], leaseMs),
    cancelled.isAsked(queue, jobId, job),
  ]);
  if (failed.length > 0) return refuse('lease-lost');
  // Whoever holds the lease has just been told so: nobody else can write these.
  if (progress !== undefined) {
    try {
      await backend.updateProgress(jobId, JSON.parse(progress) as object);
    } catch (error) {
      if (error instanceof RangeError) return { status: 'refused', error: tooDeep('/progress') };
      throw error;
    }
  }
  if (logs?.length) await addLines(backend, jobId, job, logs);
  return { status: 'extended', leaseExpiresAt, cancelRequested };
}
