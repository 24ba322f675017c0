import type { QueueName } from '../core/task.js';
import type { EventPosition } from '../core/ports/observer.js';
import type { Audience, FollowedStream, StreamSource } from './stream-reader.js';
import type { Command } from './script-runner.js';
import type { WakeSource } from './wake-listener.js';

/*
 * On a cluster one blocking command cannot wait for keys of several slots, so every queue that somebody waits
 * for gets a listener, and with it a connection, of its own.
 */

export class PerQueueWake implements WakeSource {
  private readonly listeners = new Map<QueueName, WakeSource>();

  constructor(
    private readonly create: () => WakeSource,
    private readonly passOn: (queue: QueueName, tenants?: readonly string[]) => Promise<void>,
  ) {}

  /** The first token wins; one that comes at the same time is passed on. */
  wait(
    queues: readonly QueueName[],
    timeoutMs: number,
    signal?: AbortSignal,
    tenants?: readonly string[],
  ): Promise<QueueName | undefined> {
    if (queues.length === 0) return Promise.resolve(undefined);
    const others = new AbortController();
    const stop = signal ? AbortSignal.any([signal, others.signal]) : others.signal;
    return new Promise((resolve) => {
      let open = queues.length;
      let found = false;
      for (const queue of queues) {
        void this.listener(queue)
          .wait([queue], timeoutMs, stop, tenants)
          .then((token) => {
            open -= 1;
            if (token !== undefined && found) void this.passOn(token, tenants).catch(() => undefined);
            if (found) return;
            found = token !== undefined;
            if (found) others.abort();
            if (found || open === 0) resolve(token);
          });
      }
    });
  }

  /** Does not send it along: ioredis would follow a queue that moves with half of a pipeline (script-runner.ts). */
  async waitAndRun(
    _command: Command,
    queue: QueueName,
    timeoutMs: number,
    signal?: AbortSignal,
    tenants?: readonly string[],
  ): Promise<undefined> {
    await this.wait([queue], timeoutMs, signal, tenants);
  }

  close(): void {
    for (const listener of this.listeners.values()) listener.close();
  }

  private listener(queue: QueueName): WakeSource {
    let listener = this.listeners.get(queue);
    if (!listener) this.listeners.set(queue, (listener = this.create()));
    return listener;
  }
}

export class PerQueueStreams implements StreamSource {
  private readonly readers = new Map<QueueName, StreamSource>();

  constructor(private readonly create: (onIdle: () => void) => StreamSource) {}

  async join(queue: QueueName, audience: Audience, from?: EventPosition): Promise<FollowedStream> {
    for (;;) {
      const reader = this.reader(queue);
      const stream = await reader.join(queue, audience, from);
      // Else it has been closed meanwhile, with nobody to hear it.
      if (this.readers.get(queue) === reader) return stream;
    }
  }

  leave(queue: QueueName, audience: Audience): void {
    this.readers.get(queue)?.leave(queue, audience);
  }

  close(): void {
    for (const reader of this.readers.values()) reader.close();
  }

  private reader(queue: QueueName): StreamSource {
    const present = this.readers.get(queue);
    if (present) return present;
    const reader = this.create(() => {
      this.readers.delete(queue);
      reader.close();
    });
    this.readers.set(queue, reader);
    return reader;
  }
}
