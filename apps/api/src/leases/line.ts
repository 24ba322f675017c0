import type { QueueName } from '@app/queue';

/** How long the first of a line waits before it asks again: a wake token may have been lost with a call that failed. */
const FALLBACK_MS = 5_000;
/** Nobody is asked for what is due more often than this: what falls due meanwhile is taken at once. */
const DUE_GAP_MS = 5;
/** Vain answers in a row that have no consequence: two workers after the same task are nothing unusual. */
const VAIN_FREE = 3;
const REST_MS_MIN = 10;
const REST_MS_MAX = 50;
/** Vain answers further apart than this are not in a row. */
const ROW_MS = 2 * REST_MS_MAX;

/**
 * Polls that wait for the same tasks, in the order in which they came. Wake tokens are for any of them; what only time
 * brings is minded by the first for all, so that a rate or a due task does not wake a thousand polls for one start.
 */
export class Line {
  readonly #places = new Set<Place>();

  get isEmpty(): boolean {
    return this.#places.size === 0;
  }

  /** At the end. */
  add(place: Place): void {
    this.#places.add(place);
  }

  get first(): Place | undefined {
    return this.#places.values().next().value;
  }

  /** The next one minds the clock from now on. */
  remove(place: Place): void {
    const wasFirst = this.first === place;
    this.#places.delete(place);
    if (wasFirst) this.first?.wake();
  }
}

/** One poll's place in the line of those who wait for the same. */
export class Place {
  #line?: Line;
  #woken = new AbortController();
  /** When to ask again, by `performance.now()`, if it is the first. */
  #dueAtMs = Infinity;
  #vain = 0;
  #vainAtMs = -Infinity;

  /** @param tenants of whom alone it takes work; absent where of everybody */
  constructor(
    readonly queue: QueueName,
    readonly tenants: readonly string[] | undefined,
  ) {}

  enter(line: Line): void {
    this.#line = line;
    line.add(this);
    this.#woken = new AbortController();
    this.#tellFirst();
  }

  /** Aborts when the poll should ask again, token or not. */
  get woken(): AbortSignal {
    return this.#woken.signal;
  }

  wake(): void {
    this.#woken.abort();
  }

  /** A lease left nothing that may start. */
  emptied(nextDueInMs = Infinity): void {
    this.#woken = new AbortController();
    this.#dueAtMs = performance.now() + Math.min(Math.max(nextDueInMs, DUE_GAP_MS), FALLBACK_MS);
  }

  /** A lease found nothing. @returns for how long not to ask again, in ms; mostly 0 */
  vain(nextDueInMs?: number): number {
    const now = performance.now();
    this.emptied(nextDueInMs);
    this.#vain = now - this.#vainAtMs < ROW_MS ? this.#vain + 1 : 1;
    this.#vainAtMs = now;
    this.#tellFirst();
    return this.#vain <= VAIN_FREE
      ? 0
      : Math.min(REST_MS_MIN * 2 ** (this.#vain - VAIN_FREE - 1), REST_MS_MAX);
  }

  /** How long to wait for a token at most before asking again. */
  get patienceMs(): number {
    return this.#line?.first === this ? Math.max(this.#dueAtMs - performance.now(), 0) : Infinity;
  }

  leave(): void {
    this.#line?.remove(this);
    this.#line = undefined;
  }

  /** Who minds the clock for all must know what is due earlier than all it knows of. */
  #tellFirst(): void {
    const first = this.#line?.first;
    if (first && this.#dueAtMs + DUE_GAP_MS < first.#dueAtMs) first.wake();
  }
}
