import { setTimeout as delay } from 'node:timers/promises';
import type { QueueName } from '../core/task.js';
import { BlockingConnection } from './blocking.js';
import type { Client } from './connection.js';
import { QUEUE_KEYS, queueKey } from './keys.js';
import type { Command } from './script-runner.js';

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
  /**
   * Waits for the queue's token in the same way, and answers with the reply to `command` where it could be sent along: then
   * Redis executes it as soon as the token comes or the wait ends. `undefined`: it was not, or nobody knows.
   */
  waitAndRun(
    command: Command,
    queue: QueueName,
    timeoutMs: number,
    signal?: AbortSignal,
    tenants?: readonly string[],
  ): Promise<unknown>;
  close(): void;
}

interface Waiter {
  /** The lists that hold a token for it. */
  lists: ReadonlySet<string>;
  /** What to send along with a wait for it alone. */
  command: Command | undefined;
  /** By `performance.now()`. */
  endsAtMs: number;
  end(heard: Heard): void;
}

interface Heard {
  /** Whose token it is. */
  queue?: QueueName;
  reply?: unknown;
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
  /** Whose command is behind that BLPOP. It cannot be taken back, so that only its reply ends this wait. */
  private carried: Waiter | undefined;

  /** @param passOn gives a token back that nobody here wants any more */
  constructor(
    private readonly connect: () => Client,
    private readonly commands: Client,
    private readonly prefix: string,
    private readonly passOn: (queue: QueueName, tenants?: readonly string[]) => Promise<void>,
  ) {}

  async wait(
    queues: readonly QueueName[],
    timeoutMs: number,
    signal?: AbortSignal,
    tenants?: readonly string[],
  ): Promise<QueueName | undefined> {
    const { queue } = await this.hear(queues, timeoutMs, signal, tenants);
    return queue;
  }

  async waitAndRun(
    command: Command,
    queue: QueueName,
    timeoutMs: number,
    signal?: AbortSignal,
    tenants?: readonly string[],
  ): Promise<unknown> {
    const { reply } = await this.hear([queue], timeoutMs, signal, tenants, command);
    return reply;
  }

  private hear(
    queues: readonly QueueName[],
    timeoutMs: number,
    signal?: AbortSignal,
    tenants?: readonly string[],
    command?: Command,
  ): Promise<Heard> {
    if (this.closed || signal?.aborted || queues.length === 0) return Promise.resolve({});
    return new Promise((resolve) => {
      const end = (heard: Heard) => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', giveUp);
        this.waiters.delete(waiter);
        if (this.waiters.size === 0) void this.connection?.interrupt();
        resolve(heard);
      };
      const giveUp = () => {
        if (this.carried === waiter) void this.connection?.interrupt();
        else end({});
      };
      const lists = new Set(queues.flatMap((queue) => this.listsOf(queue, tenants)));
      const waiter: Waiter = { lists, command, endsAtMs: performance.now() + timeoutMs, end };
      const timer = setTimeout(giveUp, timeoutMs);
      signal?.addEventListener('abort', giveUp, { once: true });
      this.waiters.add(waiter);
      if (!this.listening) void this.listen();
      else if ([...lists].some((list) => !this.covered.has(list))) void this.connection?.interrupt();
    });
  }

  close(): void {
    this.closed = true;
    for (const waiter of this.waiters) waiter.end({});
    this.connection?.close();
  }

  private async listen(): Promise<void> {
    this.listening = true;
    this.connection ??= new BlockingConnection(this.connect(), this.commands);
    while (this.waiters.size > 0 && !this.closed) {
      const [first, ...others] = this.waiters as Iterable<Waiter> as [Waiter, ...Waiter[]];
      const lists = new Set([first, ...others].flatMap((waiter) => [...waiter.lists]));
      this.covered = lists;
      this.carried = first.command && others.length === 0 ? first : undefined;
      try {
        if (this.carried) this.carried.end(await this.carry(this.carried));
        else {
          const token = await this.connection.run(
            (client) => client.blpop([...lists], BLOCK_MS / 1_000),
            [...lists][0]!,
            BLOCK_MS,
          );
          if (token) this.deliver(token[0]);
        }
      } catch {
        this.carried?.end({});
        await delay(FAILED_MS, undefined, { ref: false });
      }
    }
    this.carried = undefined;
    this.listening = false;
  }

  /** One BLPOP with a command behind it, in one write. */
  private async carry({ lists, command, endsAtMs }: Waiter): Promise<Heard> {
    const blockMs = Math.min(BLOCK_MS, Math.max(1, Math.ceil(endsAtMs - performance.now())));
    const [[failed], [error, reply]] = (await this.connection!.run(
      (client) =>
        client
          .pipeline()
          .blpop([...lists], blockMs / 1_000)
          .call(...command!)
          .exec(),
      [...lists][0]!,
      blockMs,
    )) as [[Error | null], [Error | null, unknown]];
    if (failed) throw failed;
    return error ? {} : { reply };
  }

  private deliver(list: string): void {
    const queue = this.queueOf(list);
    for (const waiter of this.waiters) {
      if (!waiter.lists.has(list)) continue;
      waiter.end({ queue });
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
