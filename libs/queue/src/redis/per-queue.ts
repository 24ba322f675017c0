import type { QueueName } from '../core/task.js';
import type { EndSource } from './end-watcher.js';
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

  close(): void {
    for (const listener of this.listeners.values()) listener.close();
  }

  private listener(queue: QueueName): WakeSource {
    let listener = this.listeners.get(queue);
    if (!listener) this.listeners.set(queue, (listener = this.create()));
    return listener;
  }
}

export class PerQueueEnds implements EndSource {
  private readonly watchers = new Map<QueueName, EndSource>();

  constructor(private readonly create: () => EndSource) {}

  watch(queue: QueueName, key: string, onEnd: () => void): Promise<() => void> {
    let watcher = this.watchers.get(queue);
    if (!watcher) this.watchers.set(queue, (watcher = this.create()));
    return watcher.watch(queue, key, onEnd);
  }

  close(): void {
    for (const watcher of this.watchers.values()) watcher.close();
  }
}
