import { setTimeout as delay } from 'node:timers/promises';
import { QueueError } from './core/errors.js';
import type { Queue } from './core/ports/queue.js';

const AGAIN_MS = 1_000;

/**
 * Opens the queue, trying for as long as the store is away and `givenUp` does not say so; then it resolves with the queue
 * not open.
 *
 * @throws QueueError `store-unsuitable`: trying again would not help
 */
export async function openQueue(
  queue: Queue,
  { givenUp, onAway }: { givenUp: () => boolean; onAway: (error: QueueError) => void },
): Promise<void> {
  while (!givenUp()) {
    try {
      await queue.open();
      return;
    } catch (error) {
      if (!(error instanceof QueueError) || error.kind !== 'unavailable') throw error;
      onAway(error);
      await delay(AGAIN_MS);
    }
  }
}
