import type { Queue } from '@app/queue';
import { ManualClock, uniqueQueue } from '@app/queue/testing';
import { globalKey } from '../../libs/queue/src/redis/keys.js';
import { openTestQueue, type TestQueue } from '../support/redis.js';
import { Pair } from './pair.js';
import { Player } from './player.js';
import { forgetWorkers } from './registrations.js';
import type { Step } from './step.js';

/** What stories leave behind goes after so many. */
const STORIES_PER_PREFIX = 200;

/** Where stories are played: a Redis and two clients of it, for one story after the other on queues of its own. */
export class Stage {
  readonly #clock = new ManualClock();
  #store: TestQueue | undefined;
  #clients: Queue[] = [];
  #played = 0;

  /** @throws where Redis and the oracle do not agree, or an invariant is broken */
  async play(story: readonly Step[]): Promise<void> {
    if (this.#played % STORIES_PER_PREFIX === 0) await this.#renew();
    this.#played += 1;
    const store = this.#store!;
    this.#clock.advance(new ManualClock().now() - this.#clock.now());
    await store.redis.del(globalKey(store.keyPrefix, 'chores'));
    await forgetWorkers(store);
    const queue = uniqueQueue('m');
    await new Player(new Pair(store, this.#clients, this.#clock, [queue, `${queue}.x`])).play(story);
  }

  async close(): Promise<void> {
    await this.#store?.cleanup();
  }

  async #renew(): Promise<void> {
    await this.close();
    this.#store = await openTestQueue({ clock: this.#clock, random: () => 0.5 });
    this.#clients = [this.#store.queue, await this.#store.another()];
  }
}
