import type { QueueName } from '../core/task.js';
import { setTimeout as delay } from 'node:timers/promises';
import { BlockingConnection } from './blocking.js';
import type { Client } from './connection.js';
import { QUEUE_KEYS, queueKey } from './keys.js';
import type { ScriptRunner } from './script-runner.js';

const BLOCK_MS = 5_000;
const FAILED_MS = 200;
/** Script calls read at once; each can carry many transitions. */
const READ_COUNT = 200;
/** A queue stays followed this long after its last waiter, since the next one is usually near. */
const LINGER_MS = 10_000;

/** Where the ends of tasks are heard of. */
export interface EndSource {
  /**
   * Calls `onEnd` when the task reaches a terminal state after this has resolved. Read the task's state then, so
   * that nothing falls between. May call more than once and, after trouble, without need.
   */
  watch(queue: QueueName, key: string, onEnd: () => void): Promise<() => void>;
  close(): void;
}

interface Followed {
  /** Stream position up to which everything has been seen. */
  position: string;
  waiters: Map<string, Set<() => void>>;
  idleSince: number;
}

/**
 * Tells when tasks end, by following the event streams of the queues in which somebody waits: one connection and
 * one XREAD for all of them, so that a thousand waits cost Redis no more than one.
 */
export class EndWatcher implements EndSource {
  private readonly followed = new Map<QueueName, Followed>();
  private connection: BlockingConnection | undefined;
  private following = false;
  private closed = false;

  constructor(
    private readonly connect: () => Client,
    private readonly commands: Client,
    private readonly scripts: ScriptRunner,
    private readonly prefix: string,
  ) {}

  async watch(queue: QueueName, key: string, onEnd: () => void): Promise<() => void> {
    const followed = this.followed.get(queue) ?? (await this.follow(queue));
    const waiters = followed.waiters.get(key) ?? new Set();
    followed.waiters.set(key, waiters.add(onEnd));
    return () => {
      waiters.delete(onEnd);
      if (waiters.size === 0 && followed.waiters.get(key) === waiters) followed.waiters.delete(key);
      followed.idleSince = performance.now();
    };
  }

  close(): void {
    this.closed = true;
    this.connection?.close();
  }

  private async follow(queue: QueueName): Promise<Followed> {
    const latest = (await this.scripts.patiently(() =>
      this.commands.xrevrange(queueKey(this.prefix, queue, 'events'), '+', '-', 'COUNT', 1),
    )) as [string, string[]][];
    const present = this.followed.get(queue);
    if (present) return present;
    const followed = { position: latest[0]?.[0] ?? '0-0', waiters: new Map(), idleSince: performance.now() };
    this.followed.set(queue, followed);
    if (this.following) void this.connection?.interrupt();
    else void this.read();
    return followed;
  }

  private async read(): Promise<void> {
    this.following = true;
    this.connection ??= new BlockingConnection(this.connect(), this.commands);
    while (this.forgetIdle() > 0 && !this.closed) {
      const queues = [...this.followed.keys()];
      const keys = queues.map((queue) => queueKey(this.prefix, queue, 'events'));
      const positions = queues.map((queue) => this.followed.get(queue)!.position);
      try {
        const streams = await this.connection.run(
          (client) =>
            client.xread('COUNT', READ_COUNT, 'BLOCK', BLOCK_MS, 'STREAMS', ...keys, ...positions) as Promise<
              [string, [string, string[]][]][] | null
            >,
          keys[0]!,
          BLOCK_MS,
        );
        for (const [key, entries] of streams ?? []) this.deliver(this.queueOf(key), entries);
      } catch {
        // What happened meanwhile may have left the stream by the time it can be read again.
        for (const followed of this.followed.values()) notifyAll(followed);
        await delay(FAILED_MS, undefined, { ref: false });
      }
    }
    this.following = false;
  }

  private deliver(queue: QueueName, entries: [string, string[]][]): void {
    const followed = this.followed.get(queue);
    if (!followed) return;
    followed.position = entries.at(-1)![0];
    // Fallen behind: entries may have been trimmed unseen.
    if (entries.length >= READ_COUNT) notifyAll(followed);
    if (followed.waiters.size === 0) return;
    for (const [, fields] of entries) {
      for (const line of fields[1]!.split('\n')) {
        if (!/^(?:completed|failed|cancelled|expired) /.test(line)) continue;
        const from = line.indexOf(' ') + 1;
        for (const onEnd of followed.waiters.get(line.slice(from, line.indexOf(' ', from))) ?? []) onEnd();
      }
    }
  }

  /** Returns how many queues are still followed. */
  private forgetIdle(): number {
    const now = performance.now();
    for (const [queue, { waiters, idleSince }] of this.followed) {
      if (waiters.size === 0 && now - idleSince > LINGER_MS) this.followed.delete(queue);
    }
    return this.followed.size;
  }

  private queueOf(key: string): QueueName {
    return key.slice(this.prefix.length + 2, -`}:${QUEUE_KEYS.events.suffix}`.length);
  }
}

/** Lets everybody look at their tasks for themselves. */
function notifyAll({ waiters }: Followed): void {
  for (const callbacks of waiters.values()) for (const onEnd of callbacks) onEnd();
}
