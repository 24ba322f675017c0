import { setTimeout as delay } from 'node:timers/promises';

/** Looks again and again until something holds that nobody tells of; the test's own timeout ends what never does. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await delay(5);
}
