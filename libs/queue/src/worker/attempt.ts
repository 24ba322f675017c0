import { LIMITS } from '../core/limits.js';
import type { LeasedTask } from '../core/ports/consumer.js';
import type { JsonText } from '../core/task.js';
import { AttemptStopped, type StopReason } from './errors.js';
import type { AttemptOutcome } from './meter.js';

/** One leased task in the hands of this worker, from the lease to its settlement. */
export class Attempt {
  /** When its handler started, by `performance.now()`; until then, when it was leased. */
  startedAtMs = performance.now();
  /** Whether its handler was called, as opposed to being held back. */
  begun = false;
  /** How it ended, once it has. */
  outcome?: AttemptOutcome;
  /** Called when the handler was asked to stop and its time for that is over. */
  onGraceOver: () => void = nobodyWaits;

  #controller?: AbortController;
  readonly #graceTimers: NodeJS.Timeout[] = [];
  #stopReason?: StopReason;
  #progress?: JsonText;
  #logs: string[] = [];

  constructor(readonly task: LeasedTask) {}

  /** Made when first asked for: most handlers do not, and it takes 2 us. */
  get signal(): AbortSignal {
    this.#controller ??= this.#newController();
    return this.#controller.signal;
  }

  /** Why it is to stop; absent while it may go on. */
  get stopReason(): StopReason | undefined {
    return this.#stopReason;
  }

  /**
   * Asks the handler to stop within `graceMs`. The first reason stands, except that a lost lease overrules all
   * others: there is nothing left to settle. A later call can only shorten the grace.
   */
  stop(reason: StopReason, graceMs: number): void {
    if (this.#stopReason === undefined || reason === 'lease-lost') this.#stopReason = reason;
    // The first reason that a signal is given stays.
    this.#controller?.abort(new AttemptStopped(reason));
    if (graceMs <= 0) return this.onGraceOver();
    // One for each reason at most; the earliest ends it.
    this.#graceTimers.push(setTimeout(() => this.onGraceOver(), graceMs));
  }

  /** Frees what a stop has left running. Called once the attempt has ended. */
  close(): void {
    for (const timer of this.#graceTimers) clearTimeout(timer);
  }

  /** @throws TypeError if the value is not serialisable or too long */
  setProgress(value: unknown): void {
    const text = JSON.stringify(value) as string | undefined;
    if (text === undefined || Buffer.byteLength(text) > LIMITS.progressBytesMax) {
      throw new TypeError(`Progress must be JSON of at most ${LIMITS.progressBytesMax} bytes.`);
    }
    this.#progress = text;
  }

  addLog(message: string): void {
    this.#logs.push(String(message).slice(0, LIMITS.logLineCharsMax));
    if (this.#logs.length > LIMITS.logLinesKept) this.#logs.shift();
  }

  /** What was said since the last call. Whoever cannot deliver it gives it back. */
  takeNews(): { progress?: JsonText; logs?: string[] } {
    if (this.#progress === undefined && this.#logs.length === 0) return NO_NEWS;
    const news = {
      ...(this.#progress !== undefined && { progress: this.#progress }),
      ...(this.#logs.length > 0 && { logs: this.#logs }),
    };
    this.#progress = undefined;
    this.#logs = [];
    return news;
  }

  /** Puts undelivered news back, behind nothing that was said since. */
  giveBack(news: { progress?: JsonText; logs?: readonly string[] }): void {
    this.#progress ??= news.progress;
    if (news.logs) this.#logs = [...news.logs, ...this.#logs].slice(-LIMITS.logLinesKept);
  }

  #newController(): AbortController {
    const controller = new AbortController();
    if (this.#stopReason !== undefined) controller.abort(new AttemptStopped(this.#stopReason));
    return controller;
  }
}

const NO_NEWS = {};

function nobodyWaits(): void {}
