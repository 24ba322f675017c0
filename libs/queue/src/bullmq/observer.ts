import { checkFilter, filterEvents, wanted } from '../core/event-filter.js';
import {
  checkPosition,
  earliest,
  isAfter,
  ORIGIN,
  positionBefore,
  timeOfPosition,
} from '../core/event-position.js';
import { LIMITS } from '../core/limits.js';
import { checkQueueName } from '../core/names.js';
import type {
  EventFollower,
  EventPosition,
  EventSelection,
  Following,
  Observer,
  QueueEvent,
} from '../core/ports/observer.js';
import type { QueueName, Task, TaskId } from '../core/task.js';
import type { Cancelled } from './cancelled.js';
import type { Directory } from './directory.js';
import {
  type Entry,
  type EventStream,
  type EventStreams,
  positionNow,
  type StreamListener,
} from './event-stream.js';
import { addressOf } from './job-ids.js';
import { findTask } from './jobs.js';
import type { Store } from './store.js';
import { ToldEvents } from './told-events.js';

/** How far the clocks of this process and the store may be apart. */
const SKEW_MS = 60_000;

const LOOKS_MAX = 5;

type Listener = (events: readonly QueueEvent[], position: EventPosition) => void;

interface Member {
  /** Of this task only. */
  task?: TaskId;
  onGap: () => void;
}

/** What happens in one queue, told once for all who follow it. */
class Audience implements StreamListener {
  readonly members = new Map<Listener, Member>();
  #told: ToldEvents;
  #turn: Promise<void> = Promise.resolve();

  constructor(store: Store, queue: QueueName) {
    const isFollowed = (id: TaskId) => [...this.members.values()].some(({ task }) => task === id);
    this.#told = new ToldEvents(store, queue, isFollowed);
  }

  onEntries(_stream: EventStream, entries: readonly Entry[]): void {
    const position = entries.at(-1)!.position;
    this.#turn = this.#turn
      .then(() => this.#told.tell(entries))
      .then(
        (events) => this.members.forEach((_, tell) => tell(events, position)),
        () => this.onAway(),
      );
  }

  onAway(): void {
    this.members.forEach(({ onGap }) => onGap());
  }
}

/** How far one has followed one queue. While it catches up, what is new waits. */
interface Progress {
  position: EventPosition;
  stream?: EventStream;
  waiting?: { events: readonly QueueEvent[]; position: EventPosition }[];
  leave: () => void;
}

export class BullmqObserver implements Observer {
  readonly #audiences = new Map<QueueName, Audience>();
  readonly #followings = new Set<Following>();

  constructor(
    private readonly store: Store,
    private readonly cancelled: Cancelled,
    private readonly directory: Directory,
    private readonly streams: EventStreams,
  ) {}

  async snapshot(id: TaskId): Promise<{ task: Task; position: EventPosition } | undefined> {
    const { queue } = addressOf(id);
    let before = await findTask(this.store, this.cancelled, id);
    for (let looks = 1; before; looks += 1) {
      const position = await positionNow(this.store, queue);
      const task = await findTask(this.store, this.cancelled, id);
      // The same before and after the position: else what has moved it in between would be told again.
      if (task && (isSame(before, task) || looks === LOOKS_MAX)) return { task, position };
      before = task;
    }
    return undefined;
  }

  async follow(
    selection: EventSelection,
    follower: EventFollower,
    after?: EventPosition,
  ): Promise<Following> {
    if (after !== undefined) checkPosition(after);
    const progress = new Map<QueueName, Progress>();
    let select: (events: readonly QueueEvent[]) => readonly QueueEvent[];
    let queues: readonly QueueName[];
    const task = 'task' in selection ? selection.task : undefined;
    if ('task' in selection) {
      queues = [addressOf(selection.task).queue];
      select = (events) => events.filter(({ taskId }) => taskId === task);
    } else {
      checkFilter(selection);
      const filter = wanted(selection);
      select = (events) =>
        filterEvents(
          events.filter(({ kind }) => kind !== 'progress' && kind !== 'logs'),
          filter,
        );
      if (selection.queues !== 'all') for (const queue of selection.queues) checkQueueName(queue, '/queues');
      queues =
        selection.queues === 'all'
          ? (await this.directory.queues(LIMITS.followedConnectionsMax)).items
          : selection.queues;
    }

    const positionOf = () => {
      const known = [...progress.values()].map(reached).filter((at) => at !== ORIGIN);
      return known.length > 0 ? earliest(known) : (after ?? ORIGIN);
    };
    const tell = (at: Progress, events: readonly QueueEvent[], position: EventPosition) => {
      if (!isAfter(position, at.position)) return;
      at.position = position;
      const selected = select(events);
      if (selected.length > 0) return follower.onEvents(selected, positionOf());
    };
    const join = async (queue: QueueName, from: EventPosition | undefined) => {
      if (progress.has(queue)) return;
      const at: Progress = { position: ORIGIN, waiting: [], leave: () => undefined };
      progress.set(queue, at);
      const listener: Listener = (events, position) => {
        if (at.waiting) at.waiting.push({ events, position });
        else void tell(at, events, position);
      };
      const stream = await this.#join(queue, listener, { task, onGap: () => follower.onGap() });
      at.stream = stream;
      at.leave = () => this.#leave(queue, listener);
      at.position = from ?? stream.position;
      if (from !== undefined) await this.#catchUp({ queue, at, task }, from, stream.position, follower, tell);
      for (const { events, position } of at.waiting!) await tell(at, events, position);
      at.waiting = undefined;
    };

    let timer: NodeJS.Timeout | undefined;
    const following: Following = {
      get position() {
        return positionOf();
      },
      stop: () => {
        clearInterval(timer);
        this.#followings.delete(following);
        progress.forEach(({ leave }) => leave());
        progress.clear();
      },
    };
    this.#followings.add(following);
    try {
      await Promise.all(queues.map((queue) => join(queue, after)));
    } catch (error) {
      following.stop();
      throw error;
    }
    if (!('task' in selection) && selection.queues === 'all') {
      const joinNew = async () => {
        const { items } = await this.directory.queues(LIMITS.followedConnectionsMax);
        for (const queue of items) if (this.#followings.has(following)) await join(queue, ORIGIN);
      };
      timer = setInterval(() => void joinNew().catch(() => undefined), LIMITS.followedLookMs).unref();
    }
    return following;
  }

  stop(): void {
    for (const following of this.#followings) following.stop();
  }

  async #catchUp(
    { queue, at, task }: { queue: QueueName; at: Progress; task?: TaskId },
    after: EventPosition,
    upTo: EventPosition,
    follower: EventFollower,
    tell: (at: Progress, events: readonly QueueEvent[], position: EventPosition) => unknown,
  ): Promise<void> {
    if (isAfter(after, upTo) && timeOfPosition(after) > Date.now() + SKEW_MS) {
      at.position = upTo;
      follower.onGap();
      return;
    }
    const { entries, missed } = await this.streams.history(queue, after);
    if (missed) follower.onGap();
    if (entries.length === 0) return;
    const events = await new ToldEvents(this.store, queue, (id) => id === task).tell(entries);
    await tell(at, events, entries.at(-1)!.position);
  }

  async #join(queue: QueueName, listener: Listener, member: Member): Promise<EventStream> {
    let audience = this.#audiences.get(queue);
    if (!audience) {
      audience = new Audience(this.store, queue);
      this.#audiences.set(queue, audience);
    }
    audience.members.set(listener, member);
    return this.streams.join(queue, audience);
  }

  #leave(queue: QueueName, listener: Listener): void {
    const audience = this.#audiences.get(queue);
    audience?.members.delete(listener);
    if (!audience || audience.members.size > 0) return;
    this.#audiences.delete(queue);
    this.streams.leave(queue, audience);
  }
}

/** Where nothing happens, time passes all the same: a queue that is idle must not hold back the others that are followed. */
function reached({ position, stream, waiting }: Progress): EventPosition {
  if (stream?.readAtMs === undefined || waiting) return position;
  const idle = positionBefore(stream.readAtMs - SKEW_MS);
  return isAfter(idle, position) ? idle : position;
}

function isSame(one: Task, other: Task): boolean {
  return (['state', 'attempt', 'failures', 'crashes', 'progress'] as const).every(
    (field) => one[field] === other[field],
  );
}
