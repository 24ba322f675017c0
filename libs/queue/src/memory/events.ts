import { checkFilter, filterEvents, wanted } from '../core/event-filter.js';
import { checkPosition, isAfter, ORIGIN, timeOfPosition } from '../core/event-position.js';
import { LIMITS } from '../core/limits.js';
import { checkName, splitTaskId } from '../core/names.js';
import type {
  EventFollower,
  EventPosition,
  EventSelection,
  Following,
  QueueEvent,
} from '../core/ports/observer.js';
import type { QueueName } from '../core/task.js';

interface Entry {
  position: EventPosition;
  event: QueueEvent;
}

interface History {
  entries: Entry[];
  /** Of the last one that is not kept any more. */
  trimmed: EventPosition;
}

/** What has happened, as far as it is kept, and those who follow it. */
export class Events {
  readonly #histories = new Map<QueueName, History>();
  readonly #followings = new Set<MemoryFollowing>();
  #position = ORIGIN;

  /** Of the latest event of all. */
  get position(): EventPosition {
    return this.#position;
  }

  record(event: QueueEvent): void {
    const [ms, sequence] = this.#position.split('-').map(Number) as [number, number];
    this.#position = `${Math.max(ms, event.at)}-${sequence + 1}`;
    const entry = { position: this.#position, event };
    const history = this.#histories.get(event.queue) ?? { entries: [], trimmed: ORIGIN };
    this.#histories.set(event.queue, history);
    history.entries.push(entry);
    if (history.entries.length > LIMITS.eventsKept) history.trimmed = history.entries.shift()!.position;
    for (const following of this.#followings) following.hear(entry);
  }

  /** Of a queue that was deleted. */
  forget(queue: QueueName): void {
    this.#histories.delete(queue);
  }

  follow(
    selection: EventSelection,
    follower: EventFollower,
    after: EventPosition | undefined,
    now: number,
  ): Following {
    if (after !== undefined) checkPosition(after);
    const following = new MemoryFollowing(selectorOf(selection), follower, this.#position, () =>
      this.#followings.delete(following),
    );
    this.#followings.add(following);
    if (after === undefined) return following;
    const histories = [...this.#histories].filter(([queue]) => concerns(selection, queue));
    const isUnknown = isAfter(after, this.#position) && timeOfPosition(after) > now;
    if (isUnknown || histories.some(([, { trimmed }]) => isAfter(trimmed, after))) following.miss();
    histories
      .flatMap(([, { entries }]) => entries)
      .filter(({ position }) => isAfter(position, after))
      .sort((a, b) => (isAfter(a.position, b.position) ? 1 : -1))
      .forEach((entry) => following.hear(entry));
    return following;
  }

  close(): void {
    for (const following of this.#followings) following.stop();
  }
}

/** Hears at once, and tells once what is happening has ended. */
class MemoryFollowing implements Following {
  #heard: Entry[] = [];
  #missed = false;
  #telling = false;

  constructor(
    private readonly select: (events: readonly QueueEvent[]) => readonly QueueEvent[],
    private readonly follower: EventFollower,
    public position: EventPosition,
    readonly stop: () => void,
  ) {}

  hear(entry: Entry): void {
    this.#heard.push(entry);
    this.#tellSoon();
  }

  miss(): void {
    this.#missed = true;
    this.#tellSoon();
  }

  #tellSoon(): void {
    if (this.#telling) return;
    this.#telling = true;
    queueMicrotask(() => this.#tell());
  }

  #tell(): void {
    const heard = this.#heard;
    if (this.#missed) this.follower.onGap();
    this.#heard = [];
    this.#missed = this.#telling = false;
    this.position = heard.at(-1)?.position ?? this.position;
    const events = this.select(heard.map(({ event }) => event));
    if (events.length > 0) void this.follower.onEvents(events, this.position);
  }
}

function concerns(selection: EventSelection, queue: QueueName): boolean {
  if ('task' in selection) return splitTaskId(selection.task).queue === queue;
  return selection.queues === 'all' || selection.queues.includes(queue);
}

function selectorOf(selection: EventSelection): (events: readonly QueueEvent[]) => readonly QueueEvent[] {
  if ('task' in selection) {
    splitTaskId(selection.task);
    return (events) => events.filter(({ taskId }) => taskId === selection.task);
  }
  const { queues } = selection;
  checkFilter(selection);
  if (queues !== 'all') for (const queue of queues) checkName('queue', queue, '/queues');
  const filter = wanted(selection);
  return (events) =>
    filterEvents(
      events.filter(
        ({ kind, queue }) =>
          kind !== 'progress' && kind !== 'logs' && (queues === 'all' || queues.includes(queue)),
      ),
      filter,
    );
}
