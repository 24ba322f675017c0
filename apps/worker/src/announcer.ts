import { setTimeout as delay } from 'node:timers/promises';
import type { Consumer, QueueName } from '@app/queue';
import type { Logger } from '@app/runtime';

const AGAIN_MS = 60_000;
const FAILED_MS = 2_000;

/** Tells producers which queue each type goes to, again and again: a store that lost its memory learns it anew. */
export class Announcer {
  readonly #stop = new AbortController();
  #loop?: Promise<void>;

  constructor(
    private readonly consumer: Pick<Consumer, 'announceTypes'>,
    private readonly routes: Readonly<Record<string, QueueName>>,
    private readonly log: Logger,
  ) {}

  start(): void {
    this.#loop ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    let failing = false;
    while (!signal.aborted) {
      try {
        await this.consumer.announceTypes(this.routes);
        failing = false;
      } catch (error) {
        if (!failing) this.log.warn({ err: error }, 'cannot announce task types; will keep trying');
        failing = true;
      }
      await delay(failing ? FAILED_MS : AGAIN_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}
