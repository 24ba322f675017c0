import { DEFAULT_QUEUE } from '../core/names.js';
import type { QueueName } from '../core/task.js';
import type { Client } from './connection.js';
import { globalKey } from './keys.js';
import type { ScriptRunner } from './script-runner.js';

/** How long a route is believed. Routes change with deploys, not with tasks. */
const ROUTE_KNOWN_MS = 5_000;
/** Shorter, so that the first worker of a new type is soon heard. */
const ROUTE_UNKNOWN_MS = 1_000;
/** Types come from requests: what is remembered about them must be bounded. */
const ROUTES_MAX = 10_000;

/** What lies outside the queues' slots: which queues there are, and which queue a task type goes to. */
export class Directory {
  private readonly announced = new Set<QueueName>();
  private readonly routes = new Map<string, { queue: Promise<QueueName>; until: number }>();

  constructor(
    private readonly client: Client,
    private readonly scripts: ScriptRunner,
    private readonly prefix: string,
  ) {
    // After a restart Redis may have an older state, and after a failover another one.
    client.on('ready', () => this.announced.clear());
  }

  /** Whether `addQueue` would have nothing to do: to wait for that too takes a turn of the microtask queue. */
  has(queue: QueueName): boolean {
    return this.announced.has(queue);
  }

  /** Before the first task of this process goes to a queue: a queue with tasks is never unlisted. */
  async addQueue(queue: QueueName): Promise<void> {
    if (this.has(queue)) return;
    await this.scripts.patiently(() => this.client.zadd(globalKey(this.prefix, 'queues'), 0, queue));
    this.announced.add(queue);
  }

  async queues(limit: number, cursor?: QueueName): Promise<{ items: QueueName[]; nextCursor?: QueueName }> {
    const key = globalKey(this.prefix, 'queues');
    const after = cursor === undefined ? '-' : `(${cursor}`;
    const names = await this.scripts.patiently(() =>
      this.client.zrange(key, after, '+', 'BYLEX', 'LIMIT', 0, limit + 1),
    );
    const items = names.slice(0, limit);
    return names.length > limit ? { items, nextCursor: items.at(-1) } : { items };
  }

  queueOf(type: string): Promise<QueueName> {
    const now = performance.now();
    const known = this.routes.get(type);
    if (known && known.until > now) return known.queue;
    if (this.routes.size >= ROUTES_MAX) this.routes.clear();
    const route = { queue: this.lookUp(type), until: now + ROUTE_KNOWN_MS };
    this.routes.set(type, route);
    route.queue.then(
      (queue) => {
        if (queue === DEFAULT_QUEUE) route.until = now + ROUTE_UNKNOWN_MS;
      },
      () => this.routes.delete(type),
    );
    return route.queue;
  }

  async announceTypes(routes: Readonly<Record<string, QueueName>>): Promise<void> {
    if (Object.keys(routes).length === 0) return;
    await this.scripts.patiently(() => this.client.hset(globalKey(this.prefix, 'types'), routes));
    this.routes.clear();
  }

  private async lookUp(type: string): Promise<QueueName> {
    const queue = await this.scripts.patiently(() => this.client.hget(globalKey(this.prefix, 'types'), type));
    return queue ?? DEFAULT_QUEUE;
  }
}
