import { setTimeout as delay } from 'node:timers/promises';
import { type ChainableCommander, Cluster, Redis } from 'ioredis';
import type { Client } from './connection.js';

/** Beyond what a command was to block: then its connection is dead, whatever TCP believes. */
const GRACE_MS = 2_000;
/** Between an interruption and the next, while the command it is meant for may still be on its way to Redis. */
const INTERRUPT_AGAIN_MS = 20;

/**
 * One connection on which one command at a time waits inside Redis.
 *
 * It trusts no single mechanism: a reply that is overdue by `GRACE_MS` costs the connection (blocking reads that
 * never settled after a reconnect stopped whole workers: bullmq#4479, #2964), and the loop that uses it asks
 * again after every failure.
 */
export class BlockingConnection {
  private id: number | undefined;
  private closes = 0;
  /** The key by which a cluster's node is found. */
  private key = '';
  /** Number of the command that is blocked now or about to be; 0 while there is none. */
  private blocked = 0;
  private runs = 0;

  /** @param commands where CLIENT UNBLOCK is sent from */
  constructor(
    private readonly client: Client,
    private readonly commands: Client,
  ) {
    client.on('close', () => {
      this.id = undefined;
      this.closes += 1;
    });
  }

  /** Another one after a connection was lost. A restarted Redis gives the same ids again, hence the count. */
  get session(): string {
    return `${this.closes}:${this.id}`;
  }

  /**
   * The command's reply; null when its time is over or it was interrupted. Rejects when the connection is broken.
   *
   * @param key one of those the command waits for
   */
  async run<T>(
    command: (client: Client) => Promise<T | null>,
    key: string,
    blockMs: number,
  ): Promise<T | null> {
    try {
      this.key = key;
      this.runs += 1;
      this.blocked = this.runs;
      await this.ready();
      return await withDeadline(command(this.client), blockMs + GRACE_MS, () => this.drop());
    } finally {
      this.blocked = 0;
    }
  }

  /**
   * Makes the command that is blocked now, if any, return. Asks again while that very command is still under way: the
   * first time it may not yet have reached Redis. One that does not return in time costs the connection.
   */
  async interrupt(): Promise<void> {
    const command = this.blocked;
    const overdueAtMs = performance.now() + GRACE_MS;
    while (command !== 0 && this.blocked === command) {
      if (this.id !== undefined) {
        if (performance.now() > overdueAtMs) return this.drop();
        await askServerOf(this.commands, this.key, 'CLIENT', 'UNBLOCK', this.id).catch(() => undefined);
      }
      await delay(INTERRUPT_AGAIN_MS, undefined, { ref: false });
    }
  }

  close(): void {
    this.client.disconnect();
  }

  private async ready(): Promise<void> {
    if (this.client.status === 'wait' || this.client.status === 'end') await this.client.connect();
    else if (this.client.status !== 'ready') await nextReady(this.client);
    // On a cluster each node has its own connection, with an id of its own.
    if (this.id === undefined || this.client instanceof Cluster) {
      const id = askServerOf(this.client, this.key, 'CLIENT', 'ID');
      this.id = Number(await withDeadline(id, GRACE_MS, () => this.drop()));
    }
  }

  private drop(): void {
    if (this.client instanceof Redis) this.client.disconnect(true);
  }
}

/** The replies of commands that leave in one write. On a cluster one of them has a key, and they go to the server that has it. */
export async function atOnce(commands: ChainableCommander): Promise<unknown[]> {
  const replies = (await commands.exec()) as [Error | null, unknown][];
  for (const [error] of replies) if (error) throw error;
  return replies.map(([, reply]) => reply);
}

/** Seconds and microseconds, as TIME answers. */
export function serverTimeMs([seconds, micros]: readonly (string | number)[]): number {
  return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
}

/** Sends a command that has no key to the server that has the key. */
async function askServerOf(
  client: Client,
  key: string,
  ...command: [string, ...(string | number)[]]
): Promise<unknown> {
  if (client instanceof Redis) return client.call(...command);
  const [reply] = await atOnce(
    client
      .pipeline()
      .call(...command)
      .exists(key),
  );
  return reply;
}

/** Resolves when the client is ready, rejects when it is closed or has not become so for a while. */
function nextReady(client: Client): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => finish(new Error('not connected')), GRACE_MS);
    const onReady = () => finish();
    const onEnd = () => finish(new Error('closed'));
    function finish(error?: Error): void {
      clearTimeout(timer);
      client.off('ready', onReady).off('end', onEnd);
      if (error) reject(error);
      else resolve();
    }
    client.once('ready', onReady).once('end', onEnd);
  });
}

async function withDeadline<T>(promise: Promise<T>, deadlineMs: number, onLate: () => void): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      onLate();
      reject(new Error('no reply in time'));
    }, deadlineMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
