import type { Consumer } from '../core/ports/consumer.js';
import type { QueueName } from '../core/task.js';
import { Loop } from './loop.js';
import { NO_LOG, NO_METER, type Log, type Meter } from './meter.js';
import { Trouble } from './trouble.js';

export interface AnnouncerOptions {
  consumer: Pick<Consumer, 'announceTypes'>;
  /** The queue of each type, as `HandlerTable.routes` has it. */
  routes: Readonly<Record<string, QueueName>>;
  meter?: Meter;
  log?: Log;
}

const AGAIN_MS = 60_000;

/** Tells producers which queue each type goes to, again and again: a store that lost its memory learns it anew. */
export class Announcer {
  readonly #loop: Loop;

  constructor({ consumer, routes, log = NO_LOG, meter = NO_METER }: AnnouncerOptions) {
    const trouble = new Trouble(log, meter);
    this.#loop = new Loop(() => trouble.turn('announce', () => consumer.announceTypes(routes), AGAIN_MS));
  }

  start(): void {
    this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }
}
