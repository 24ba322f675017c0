import { createHash } from 'node:crypto';
import { LIMITS } from '../core/limits.js';
import type { ChoreResult } from '../core/ports/maintainer.js';
import type { NewTask } from '../core/ports/producer.js';
import type { QueueName } from '../core/task.js';
import { Notes } from './notes.js';
import type { Store } from './store.js';

/** What a key was used for: the job that has both this id and this nonce, none or one. */
export interface Use {
  fingerprint: string;
  key: string;
  nonce: string;
  until: number;
  /** The job has been stored: where there is none any more, it has ended and was removed. */
  stored?: true;
}

/**
 * Which submission has used an idempotency key. It is noted before the job is stored, with the job's id: who repeats a
 * submission that stopped in between stores the same job.
 */
export class IdempotencyKeys {
  private readonly uses: Notes;

  constructor(store: Store) {
    this.uses = new Notes(store, '~keys', { ageMsMax: LIMITS.idempotencyMs, tasksMax: Infinity });
  }

  /** The use that counts, where there was one. */
  async find(queue: QueueName, key: string): Promise<Use | undefined> {
    const text = await this.uses.read(queue, noteOf(key));
    const use = text === undefined ? undefined : (JSON.parse(text) as Use);
    return use && use.until > Date.now() ? use : undefined;
  }

  /** The use that counts: this one, unless there was one before. Of several at once it is the first for all. */
  async claim(
    queue: QueueName,
    { key: idempotencyKey, fingerprint }: NonNullable<NewTask['idempotency']>,
    { key, nonce }: Pick<Use, 'key' | 'nonce'>,
  ): Promise<Use> {
    const id = noteOf(idempotencyKey);
    const at = Date.now();
    const own: Use = { fingerprint, key, nonce, until: at + LIMITS.idempotencyMs };
    await this.uses.writeNew(queue, id, JSON.stringify(own), at);
    const use = await this.find(queue, idempotencyKey);
    if (use) return use;
    // The one that there was is over.
    await this.uses.write(queue, id, JSON.stringify(own), at);
    return (await this.find(queue, idempotencyKey)) ?? own;
  }

  /** The job of this use has been stored. */
  async confirm(queue: QueueName, key: string, use: Use): Promise<void> {
    await this.uses.rewrite(queue, noteOf(key), JSON.stringify({ ...use, stored: true } satisfies Use));
  }

  /** The submission was refused. */
  async release(queue: QueueName, key: string): Promise<void> {
    await this.uses.remove(queue, noteOf(key));
  }

  prune(queue: QueueName): Promise<ChoreResult> {
    return this.uses.prune(queue);
  }
}

/** Keys may be anything. */
function noteOf(key: string): string {
  return createHash('sha256').update(key).digest('base64url');
}
