import { checkWorkerQuery } from '../core/checks.js';
import type { Clock } from '../core/clock.js';
import { QueueError } from '../core/errors.js';
import { LIMITS } from '../core/limits.js';
import { checkName } from '../core/names.js';
import type { Registry, WorkerPage, WorkerQuery } from '../core/ports/registry.js';
import { checkRegistration, kept, matches } from '../core/registration.js';
import type { RegisteredWorker, WorkerCommand, WorkerRegistration } from '../core/worker.js';
import { compareText } from './queue-state.js';

export class MemoryRegistry implements Registry {
  readonly #workers = new Map<string, RegisteredWorker>();

  constructor(private readonly clock: Clock) {}

  async register(worker: WorkerRegistration, ttlMs: number): Promise<RegisteredWorker> {
    checkRegistration(worker, ttlMs);
    const now = this.clock.now();
    const known = this.#find(worker.id);
    const isFull = this.#workers.size >= LIMITS.workersMax && this.#live().length >= LIMITS.workersMax;
    if (!known && isFull) throw new QueueError('too-many-workers');
    this.#workers.set(worker.id, {
      ...kept(worker),
      ...(known?.command && { command: known.command }),
      registeredAt: known?.registeredAt ?? now,
      seenAt: now,
      expiresAt: now + ttlMs,
    });
    return structuredClone(this.#workers.get(worker.id)!);
  }

  async deregister(id: string): Promise<boolean> {
    const known = await this.worker(id);
    this.#workers.delete(id);
    return known !== undefined;
  }

  async tell(id: string, command?: WorkerCommand): Promise<RegisteredWorker | undefined> {
    const known = await this.worker(id);
    if (!known) return undefined;
    const { command: _, ...rest } = known;
    this.#workers.set(id, command ? { ...rest, command } : rest);
    return this.worker(id);
  }

  async worker(id: string): Promise<RegisteredWorker | undefined> {
    checkName('workerId', id, '/id');
    return structuredClone(this.#find(id));
  }

  async workers(query: WorkerQuery): Promise<WorkerPage> {
    checkWorkerQuery(query);
    const { limit, cursor = '' } = query;
    const found = this.#live()
      .filter((worker) => compareText(worker.id, cursor) > 0 && matches(worker, query))
      .sort((a, b) => compareText(a.id, b.id));
    const items = structuredClone(found.slice(0, limit));
    return found.length > limit ? { items, nextCursor: items.at(-1)?.id } : { items };
  }

  async commands(): Promise<ReadonlyMap<string, WorkerCommand>> {
    return new Map(this.#live().flatMap(({ id, command }) => (command ? [[id, command]] : [])));
  }

  #find(id: string): RegisteredWorker | undefined {
    const worker = this.#workers.get(id);
    return worker && worker.expiresAt > this.clock.now() ? worker : undefined;
  }

  #live(): RegisteredWorker[] {
    const now = this.clock.now();
    for (const { id, expiresAt } of this.#workers.values()) if (expiresAt <= now) this.#workers.delete(id);
    return [...this.#workers.values()];
  }
}
