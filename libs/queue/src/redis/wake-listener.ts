import { setTimeout as delay } from 'node:timers/promises';
import type { QueueName } from '../core/task.js';
import { BlockingConnection } from './blocking.js';
import type { Client } from './connection.js';
import { QUEUE_KEYS, queueKey } from './keys.js';

/** How long one BLPOP blocks. Ends of waits and new queues interrupt it. */
const BLOCK_MS = 5_000;
/** Before asking again after a failure, so that a missing Redis is not hammered. */
const FAILED_MS = 200;

/** Where wake tokens come from. */
export interface WakeSource {
  /** The queue whose token the caller now has; `undefined` after the time or on abort. */
  wait(
    queues: readonly QueueName[],
    timeoutMs: number,
    signal?: AbortSignal,
    tenants?: readonly string[],
  ): Promise<QueueName | undefined>;
  close(): void;
}

interface Waiter {
  /** The lists that hold a token for it. */
  lists: ReadonlySet<string>;
  resolve(queue: QueueName | undefined): void;
}

/**
 * Waits for wake tokens on behalf of everybody in this process, on one connection: one BLPOP over the wake lists
 * of all queues that somebody waits for. A token goes to whoever has waited longest for its queue.
 */
export class WakeListener implements WakeSource {
  /** In order of arrival. */
  private readonly waiters = new Set<Waiter>();
  private connection: BlockingConnection | undefined;
  private listening = false;
  private closed = false;
  /** What the BLPOP under way covers. */
  private covered: ReadonlySet<string> = new Set();

  /** @param passOn gives a token back that nobody here wants any more */
  constructor(
    private readonly connect: () => Client,
    private readonly commands: Client,
    private readonly prefix: string,
    private readonly passOn: (queue: QueueName, tenants?: readonly string[]) => Promise<void>,
  ) {}

  wait(
    queues: readonly QueueName[],
    timeoutMs: number,
    signal?: AbortSignal,
    tenants?: readonly string[],
  ): Promise<QueueName | undefined> {
    if (this.closed || signal?.aborted || queues.length === 0) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const finish = (queue: QueueName | undefined) => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        this.waiters.delete(waiter);
        if (this.waiters.size === 0) void this.connection?.interrupt();
        resolve(queue);
      };
      const onAbort = () => finish(undefined);
      const lists = new Set(queues.flatMap((queue) => this.listsOf(queue, tenants)));
      const waiter: Waiter = { lists, resolve: finish };
      const timer = setTimeout(() => finish(undefined), timeoutMs);
      signal?.addEventListener('abort', onAbort, { once: true });
      this.waiters.add(waiter);
      if (!this.listening) void this.listen();
      else if ([...lists].some((list) => !this.covered.has(list))) void this.connection?.interrupt();
    });
  }

  close(): void {
    this.closed = true;
    for (const waiter of this.waiters) waiter.resolve(undefined);
    this.connection?.close();
  }

  private async listen(): Promise<void> {
    this.listening = true;
    this.connection ??= new BlockingConnection(this.connect(), this.commands);
    while (this.waiters.size > 0 && !this.closed) {
      const lists = new Set([...this.waiters].flatMap((waiter) => [...waiter.lists]));
      this.covered = lists;
      try {
        const token = await this.connection.run(
          (client) => client.blpop([...lists], BLOCK_MS / 1_000),
          [...lists][0]!,
          BLOCK_MS,
        );
        if (token) this.deliver(token[0]);
      } catch {
        await delay(FAILED_MS, undefined, { ref: false });
      }
    }
    this.listening = false;
  }

  private deliver(list: string): void {
    const queue = this.queueOf(list);
    for (const waiter of this.waiters) {
      if (!waiter.lists.has(list)) continue;
      waiter.resolve(queue);
      return;
    }
    void this.passOn(queue, tenantsOf(list)).catch(() => undefined);
  }

  private listsOf(queue: QueueName, tenants: readonly string[] | undefined): string[] {
    if (!tenants) return [queueKey(this.prefix, queue, 'wake')];
    // `~`: of a queue in FIFO mode, which does not tell tenants apart.
    return [...tenants, '~'].map((tenant) => queueKey(this.prefix, queue, 'wakeOf', tenant));
  }

  private queueOf(list: string): QueueName {
    return list.slice(this.prefix.length + 2, list.indexOf('}:'));
  }
}

/** Whose work a list's tokens speak of; absent for anybody's. */
function tenantsOf(list: string): string[] | undefined {
  const tenant = list.split(`}:${QUEUE_KEYS.wakeOf.suffix}`)[1];
  // `~`, as all of a queue in FIFO mode wait, is no name to ask for, and served by whoever asks.
  return tenant === '~' ? [] : tenant === undefined ? undefined : [tenant];
}
