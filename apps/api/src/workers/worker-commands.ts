import { Inject, Injectable } from '@nestjs/common';
import type { Queue, RegisteredWorker, Registry, WorkerCommand } from '@app/queue';
import { cached } from '../http/cached.js';
import { REGISTRY } from '../ports.module.js';

/** How late a worker may hear of a command that another API process was given. */
const AGE_MS_MAX = 1_000;

/**
 * What is wanted of workers, for requests that concern something else. All commands are read together and at most once a
 * second, so that the many leases of the workers that are simply to work cost no look of their own.
 */
@Injectable()
export class WorkerCommands {
  #read: () => Promise<ReadonlyMap<string, WorkerCommand>>;

  constructor(@Inject(REGISTRY) private readonly registry: Registry & Pick<Queue, 'capabilities'>) {
    this.#read = this.#fresh();
  }

  /** Nothing where the store does not say: whoever asks has something to do that fails by itself then. */
  async of(workerId: string): Promise<WorkerCommand | undefined> {
    const commands = await this.#read().catch(() => undefined);
    return commands?.get(workerId);
  }

  /** Known here at once. */
  async tell(workerId: string, command?: WorkerCommand): Promise<RegisteredWorker | undefined> {
    const worker = await this.registry.tell(workerId, command);
    this.#read = this.#fresh();
    return worker;
  }

  #fresh(): () => Promise<ReadonlyMap<string, WorkerCommand>> {
    // Where no workers are known, nothing is wanted of any.
    if (!this.registry.capabilities().has('worker-registry')) return async () => new Map();
    return cached(AGE_MS_MAX, () => this.registry.commands());
  }
}
