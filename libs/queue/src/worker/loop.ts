import { sleep } from './waiting.js';

/** Something that is done again and again until it is stopped. */
export class Loop {
  readonly #stop = new AbortController();
  #running?: Promise<void>;

  /** @param turn does it once, never fails, and answers how many ms to rest then */
  constructor(private readonly turn: () => Promise<number>) {}

  /** Begins with a turn at once. Does nothing the second time. */
  start(): void {
    this.#running ??= this.#run();
  }

  get started(): boolean {
    return this.#running !== undefined;
  }

  /** Ends rests; what takes long in a turn should look at it, too. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** Resolves when the turn under way has ended. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) await sleep(await this.turn(), signal);
  }
}
