import { DEFAULT_QUEUE, NAME_PATTERNS } from '../core/names.js';
import type { QueueName } from '../core/task.js';
import { DIRECTORY, type Store } from './store.js';

/** How long what was read is believed. */
const KNOWN_MS = 1_000;
/** What this process has entered. Names come from requests. */
const ENTERED_MAX = 10_000;

/**
 * Which queues there are, and which queue a type goes to. BullMQ keeps no list of its queues: these are the ones that were
 * named when the service was set up, and those that were used through it, in the metadata of a queue that has no jobs.
 */
export class Directory {
  readonly #entered = new Set<string>();
  #read?: { at: number; fields: Promise<Record<string, string>> };

  constructor(
    private readonly store: Store,
    private readonly named: readonly QueueName[],
  ) {}

  async addQueue(queue: QueueName): Promise<void> {
    if (this.#entered.has(queue) || this.named.includes(queue)) return;
    await this.#write({ [`queue:${queue}`]: 1 });
    if (this.#entered.size >= ENTERED_MAX) this.#entered.clear();
    this.#entered.add(queue);
  }

  async removeQueue(queue: QueueName): Promise<void> {
    await this.store.run(DIRECTORY, (backend) => backend.removeQueueMetaFields([`queue:${queue}`]));
    this.#entered.delete(queue);
    this.#read = undefined;
  }

  async hasQueue(queue: QueueName): Promise<boolean> {
    return this.store.run(DIRECTORY, (backend) => backend.hasQueueMetaField(`queue:${queue}`));
  }

  async queues(limit: number, cursor?: QueueName): Promise<{ items: QueueName[]; nextCursor?: QueueName }> {
    const entered = Object.keys(await this.#fields()).flatMap((field) =>
      field.startsWith('queue:') ? [field.slice('queue:'.length)] : [],
    );
    const names = [...new Set([...this.named, ...entered])]
      .filter((name) => NAME_PATTERNS.queue.test(name))
      .sort();
    const rest = cursor === undefined ? names : names.filter((name) => name > cursor);
    const items = rest.slice(0, limit);
    return rest.length > limit ? { items, nextCursor: items.at(-1) } : { items };
  }

  async queueOf(type: string): Promise<QueueName> {
    return (await this.#fields())[`type:${type}`] ?? DEFAULT_QUEUE;
  }

  async announceTypes(routes: Readonly<Record<string, QueueName>>): Promise<void> {
    const fields = Object.entries(routes).map(([type, queue]) => [`type:${type}`, queue]);
    if (fields.length > 0) await this.#write(Object.fromEntries(fields) as Record<string, string>);
  }

  async #write(fields: Record<string, string | number>): Promise<void> {
    await this.store.run(DIRECTORY, (backend) => backend.setQueueMeta(fields));
    this.#read = undefined;
  }

  #fields(): Promise<Record<string, string>> {
    const now = performance.now();
    if (this.#read && now - this.#read.at < KNOWN_MS) return this.#read.fields;
    const fields = this.store.run(DIRECTORY, (backend) => backend.getQueueMeta());
    this.#read = { at: now, fields };
    fields.catch(() => (this.#read = undefined));
    return fields;
  }
}
