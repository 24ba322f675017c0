import { pagesOf } from '../core/pages.js';
import type { Inspector } from '../core/ports/inspector.js';
import type { Maintainer } from '../core/ports/maintainer.js';
import type { QueueName } from '../core/task.js';
import { Loop } from '../worker/loop.js';
import { NO_LOG, NO_METER, type Log, type Meter } from '../worker/meter.js';
import { Trouble } from '../worker/trouble.js';
import type { Chore, ChoreSurroundings } from './chore.js';
import { janitor } from './janitor.js';
import { promoter } from './promoter.js';
import { reaper } from './reaper.js';

export interface ChoresOptions {
  queue: Maintainer & Pick<Inspector, 'queues'>;
  /** Who stands for election: one name per process. */
  holder: string;
  /**
   * Bound on what each chore asks of the store while sweeping. Default 100. With more than a few hundred queues the
   * reaper needs more and takes it.
   */
  callsPerSecondMax?: number;
  meter?: Meter;
  log?: Log;
  /** In [0, 1); for jitter. Default `Math.random`. */
  random?: () => number;
}

/**
 * When the elected process dies, another has to reap within `LIMITS.reapGapMs`, or every lease is prolonged: a term and
 * the longest wait for the next election stay below that. One renewal may fail.
 */
const TERM_MS = 2_500;
const RENEWAL_MS = 900;
const ELECTION_MS = 1_500;
const PAGE = 500;
/** The names are read again when older than this, so that chores of one second share one reading. */
const NAMES_MS = 900;

/**
 * What a queue needs beside its workers: due tasks become pending, lost leases are taken, finished tasks are removed.
 * Every worker process runs this for all queues, whichever it serves; one of them is elected to do it. The election
 * only saves work: chores may overlap, so nothing depends on it being right.
 */
export class Chores {
  readonly #options: Required<ChoresOptions>;
  readonly #trouble: Trouble;
  readonly #chores: readonly Chore[];
  readonly #loop = new Loop(() => this.#turn());
  #electedUntilMs = 0;
  #names?: { readAtMs: number; pages: (readonly QueueName[])[] };

  constructor(options: ChoresOptions) {
    const { log = NO_LOG, meter = NO_METER, random = Math.random, callsPerSecondMax = 100 } = options;
    this.#options = { ...options, log, meter, random, callsPerSecondMax };
    this.#trouble = new Trouble(log, meter, random);
    const surroundings: ChoreSurroundings = {
      elected: () => this.elected,
      queues: () => this.#queues(),
      queueCount: () => this.#names?.pages.reduce((count, page) => count + page.length, 0) ?? 0,
      callsPerSecondMax,
      meter,
      trouble: this.#trouble,
      random,
    };
    const { queue } = options;
    this.#chores = [promoter(queue, surroundings), reaper(queue, surroundings), janitor(queue, surroundings)];
  }

  /** Whether this process is doing the chores. */
  get elected(): boolean {
    return performance.now() < this.#electedUntilMs;
  }

  start(): void {
    this.#loop.start();
  }

  /** Resolves when nothing is under way any more, and another process may be elected at once. */
  async stop(): Promise<void> {
    await Promise.all([this.#loop.stop(), ...this.#chores.map((chore) => chore.stop())]);
    if (!this.elected) return;
    this.#electedUntilMs = 0;
    // A term that is over as soon as it has begun. If it fails, the others wait for the end of the former one.
    await this.#options.queue.electForChores(this.#options.holder, 1).catch(() => undefined);
  }

  async #turn(): Promise<number> {
    const failedMs = await this.#trouble.turn('elect', () => this.#stand());
    // After the first answer, so that the first sweep is not one interval late.
    if (!this.#loop.signal.aborted) this.#chores.forEach((chore) => chore.start());
    const restMs = this.#electedUntilMs > 0 ? RENEWAL_MS : ELECTION_MS;
    return failedMs || restMs * (0.9 + 0.2 * this.#options.random());
  }

  async #stand(): Promise<void> {
    const { queue, holder, log } = this.#options;
    const askedAtMs = performance.now();
    const elected = await queue.electForChores(holder, TERM_MS);
    if (elected !== this.elected) log.info({ elected }, 'chores election');
    this.#electedUntilMs = elected ? askedAtMs + TERM_MS : 0;
  }

  async *#queues(): AsyncGenerator<readonly QueueName[]> {
    if (this.#names && performance.now() - this.#names.readAtMs < NAMES_MS) {
      yield* this.#names.pages;
      return;
    }
    const readAtMs = performance.now();
    const pages: (readonly QueueName[])[] = [];
    for await (const names of pagesOf((cursor) => this.#options.queue.queues(PAGE, cursor))) {
      pages.push(names);
      yield names;
    }
    this.#names = { readAtMs, pages };
  }
}
