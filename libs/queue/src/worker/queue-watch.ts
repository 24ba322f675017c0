import type { Inspector } from '../core/ports/inspector.js';
import type { QueueName } from '../core/task.js';
import { Loop } from './loop.js';
import { NO_LOG, NO_METER, type Log, type Meter } from './meter.js';
import { Trouble } from './trouble.js';

export interface QueueWatchOptions {
  inspector: Pick<Inspector, 'queues'>;
  /** Names that count as known from the start, whether they ever had a task or not. */
  always?: readonly QueueName[];
  /** How soon a new queue is noticed. Default 1 s. */
  intervalMs?: number;
  onAdded?: (queues: QueueName[]) => void;
  meter?: Meter;
  log?: Log;
}

const PAGE = 1_000;

/** Knows the names of all queues there are, for a worker that serves every queue, those created later included. */
export class QueueWatch {
  readonly #loop: Loop;
  #known: Set<QueueName>;
  #names: readonly QueueName[];

  constructor(private readonly options: QueueWatchOptions) {
    this.#known = new Set(options.always);
    this.#names = [...this.#known];
    const { log = NO_LOG, meter = NO_METER, intervalMs = 1_000 } = options;
    const trouble = new Trouble(log, meter);
    this.#loop = new Loop(() => trouble.turn('list queues', () => this.refresh(), intervalMs));
  }

  get names(): readonly QueueName[] {
    return this.#names;
  }

  start(): void {
    this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  /** Looks once. Queues never disappear, so names are only added. */
  async refresh(): Promise<void> {
    const added: QueueName[] = [];
    let cursor: QueueName | undefined;
    do {
      const page = await this.options.inspector.queues(PAGE, cursor);
      added.push(...page.items.filter((name) => !this.#known.has(name)));
      cursor = page.nextCursor;
    } while (cursor !== undefined && !this.#loop.signal.aborted);
    if (added.length === 0) return;
    for (const name of added) this.#known.add(name);
    this.#names = [...this.#known];
    this.options.onAdded?.(added);
  }
}
