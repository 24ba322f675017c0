import { LIMITS } from '../core/limits.js';
import type { Registry } from '../core/ports/registry.js';
import type { WorkerCommand, WorkerRegistration } from '../core/worker.js';
import { Loop } from './loop.js';
import { NO_LOG, NO_METER, type Log, type Meter } from './meter.js';
import { Trouble } from './trouble.js';

export interface PresenceOptions {
  registry: Pick<Registry, 'register' | 'deregister'>;
  /** What to say; asked before every sign of life. */
  describe: () => WorkerRegistration;
  /** Called when something else is wanted of the worker than before; without a command it is to work. */
  onCommand: (command?: WorkerCommand) => void;
  /** How long after its last sign of life the worker is taken to be gone. Kept within `LIMITS.workerTtlMs…`. */
  ttlMs: number;
  meter?: Meter;
  log?: Log;
}

/** The longest time between two signs of life, and so how late a command can be. */
const INTERVAL_MS_MAX = 5_000;

/** Keeps a worker registered, and hears what an operator wants of it. */
export class Presence {
  readonly #loop: Loop;
  readonly #ttlMs: number;
  #command?: WorkerCommand;

  constructor(private readonly options: PresenceOptions) {
    this.#ttlMs = Math.min(Math.max(options.ttlMs, LIMITS.workerTtlMsMin), LIMITS.workerTtlMsMax);
    // Three tries fit into it.
    const intervalMs = Math.min(this.#ttlMs / 3, INTERVAL_MS_MAX);
    const trouble = new Trouble(options.log ?? NO_LOG, options.meter ?? NO_METER);
    this.#loop = new Loop(() => trouble.turn('register', () => this.#giveSign(), intervalMs));
  }

  start(): void {
    this.#loop.start();
  }

  /** Says goodbye, if it ever said anything. */
  async stop(): Promise<void> {
    await this.#loop.stop();
    if (!this.#loop.started) return;
    const { registry, describe } = this.options;
    // Where the store does not answer the time of the registration runs out.
    await registry.deregister(describe().id).catch(() => undefined);
  }

  async #giveSign(): Promise<void> {
    const { registry, describe, onCommand } = this.options;
    const { command } = await registry.register(describe(), this.#ttlMs);
    if (command === this.#command || this.#loop.signal.aborted) return;
    this.#command = command;
    onCommand(command);
  }
}
