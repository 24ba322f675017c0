/**
 * Wakes everybody who waits, with no memory: whoever checks a condition and then waits, without an `await` in
 * between, misses nothing.
 */
export class Bell {
  #waiters: (() => void)[] = [];

  ring(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }

  next(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }
}

/** Resolves after `ms`, or at once when the signal is or gets aborted. Never rejects. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener('abort', end);
  });
}

/** Waits for `ready` to become true, looking again at every ring; false if that takes longer than `timeoutMs`. */
export async function waitUntil(
  ready: () => boolean,
  bell: Bell,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const limit = new AbortController();
  let over = false;
  const timeout = sleep(timeoutMs, signal ? AbortSignal.any([signal, limit.signal]) : limit.signal).then(
    () => void (over = true),
  );
  while (!ready() && !over) await Promise.race([bell.next(), timeout]);
  limit.abort();
  return ready();
}
