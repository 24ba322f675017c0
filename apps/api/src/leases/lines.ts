import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { type Consumer, type LeaseRequest, tenantsServed } from '@app/queue';
import { CONSUMER } from '../ports.module.js';
import { Line, Place } from './line.js';

/** Everybody in this process who waits for work, so that a thousand who wait cost the store as little as one. */
@Injectable()
export class Lines {
  /** By what is waited for in them. */
  readonly #lines = new Map<string, Line>();

  constructor(@Inject(CONSUMER) private readonly consumer: Consumer) {}

  /** Has a place wait in its line from now on, until `leave`. */
  enter(place: Place): void {
    const key = lineOf(place);
    const line = this.#lines.get(key) ?? new Line();
    this.#lines.set(key, line);
    place.enter(line);
  }

  leave(place: Place): void {
    place.leave();
    const key = lineOf(place);
    if (this.#lines.get(key)?.isEmpty) this.#lines.delete(key);
  }

  /**
   * Waits until it is worth asking for what one of these places is for, at most for `waitMs`. Where it is because of a wake
   * token, the caller has it now and must ask, or pass it on.
   */
  async hear(
    places: readonly Place[],
    waitMs: number,
    signal: AbortSignal,
  ): Promise<{ place: Place; hasToken: boolean } | undefined> {
    const patienceMs = Math.min(waitMs, ...places.map((place) => place.patienceMs));
    const endsAtMs = performance.now() + waitMs;
    const queue = await this.consumer.waitForWork(
      places.map((place) => place.queue),
      Math.max(0, Math.ceil(patienceMs)),
      AbortSignal.any([signal, ...places.map(({ woken }) => woken)]),
      places[0]?.tenants,
    );
    if (queue === undefined && (signal.aborted || performance.now() >= endsAtMs)) return undefined;
    const isMeant = (place: Place) =>
      queue === undefined ? place.woken.aborted || place.patienceMs === 0 : place.queue === queue;
    const place = places.find(isMeant) ?? places[0];
    return place && { place, hasToken: queue !== undefined };
  }

  /** Gives a wake token to somebody else: it is the only one its queue has. */
  async passOn(request: LeaseRequest): Promise<void> {
    await this.consumer.lease({ ...request, requestId: undefined, max: 0 });
  }
}

/** Ends early on abort. */
export async function rest(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await delay(ms, undefined, { signal }).catch(() => undefined);
}

/** Where to wait for what a request asks for. */
export function placeFor(request: Pick<LeaseRequest, 'queue' | 'tenants' | 'steal'>): Place {
  return new Place(request.queue, tenantsServed(request));
}

/** Names have no spaces. */
function lineOf({ queue, tenants = [''] }: Place): string {
  return [queue, ...[...tenants].sort()].join(' ');
}
