import { earliest, ORIGIN } from '../core/event-position.js';
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
import type { PartitionCounts } from './partition-counts.js';
import { isPartitionName, partitionNames, queueOfPartition } from './partition.js';
import type { TaskFinder } from './task-finder.js';
import { inQueue } from './views.js';

/** How often those who follow queues look whether one has been split further. */
const LOOK_MS = 1_000;

export class PartitionedObserver implements Observer {
  private readonly followings = new Set<PartitionedFollowing>();
  private looking: NodeJS.Timeout | undefined;

  constructor(
    private readonly inner: Observer,
    private readonly counts: PartitionCounts,
    private readonly finder: TaskFinder,
  ) {}

  async snapshot(id: TaskId): Promise<{ task: Task; position: EventPosition } | undefined> {
    const found = await this.inner.snapshot(await this.finder.locate(id));
    return found && { ...found, task: inQueue(found.task) };
  }

  async follow(
    selection: EventSelection,
    follower: EventFollower,
    after?: EventPosition,
  ): Promise<Following> {
    const told = inQueues(follower);
    if ('task' in selection) {
      return this.inner.follow({ task: await this.finder.locate(selection.task) }, told, after);
    }
    const { queues } = selection;
    if (queues === 'all') return this.inner.follow(selection, told, after);
    for (const queue of queues) checkQueueName(queue, '/queues');
    const names = await this.partitionsOf(queues);
    const first = await this.inner.follow({ ...selection, queues: names }, told, after);
    const following = new PartitionedFollowing(queues, new Set(names), first, {
      begin: (added) => this.inner.follow({ ...selection, queues: added }, told, ORIGIN),
      stop: () => this.forget(following),
    });
    this.followings.add(following);
    this.looking ??= setInterval(() => void this.look(), LOOK_MS).unref();
    return following;
  }

  private async look(): Promise<void> {
    // Those that follow the same share the answer: a number is believed for as long as this takes.
    for (const following of this.followings) {
      await following.grow(() => this.partitionsOf(following.queues)).catch(() => undefined);
    }
  }

  private forget(following: PartitionedFollowing): void {
    this.followings.delete(following);
    if (this.followings.size > 0) return;
    clearInterval(this.looking);
    this.looking = undefined;
  }

  private async partitionsOf(queues: readonly QueueName[]): Promise<QueueName[]> {
    const counts = await Promise.all(queues.map((queue) => this.counts.of(queue)));
    return queues.flatMap((queue, i) => partitionNames(queue, counts[i]!));
  }
}

/** Follows all partitions of some queues, those that are added later from their beginning. */
class PartitionedFollowing implements Following {
  private readonly parts: Following[];
  private stopped = false;

  constructor(
    readonly queues: readonly QueueName[],
    private readonly names: Set<QueueName>,
    first: Following,
    private readonly how: { begin(names: QueueName[]): Promise<Following>; stop(): void },
  ) {
    this.parts = [first];
  }

  get position(): EventPosition {
    return earliest(this.parts.map(({ position }) => position).filter((position) => position !== ORIGIN));
  }

  async grow(partitions: () => Promise<QueueName[]>): Promise<void> {
    const added = (await partitions()).filter((name) => !this.names.has(name));
    if (added.length === 0 || this.stopped) return;
    for (const name of added) this.names.add(name);
    const part = await this.how.begin(added);
    if (this.stopped) part.stop();
    else this.parts.push(part);
  }

  stop(): void {
    this.stopped = true;
    for (const part of this.parts) part.stop();
    this.how.stop();
  }
}

/** Events as callers see them, and for those who are told the same list, the same one again. */
const views = new WeakMap<readonly QueueEvent[], readonly QueueEvent[]>();

function inQueues(follower: EventFollower): EventFollower {
  return {
    onEvents: (events, position) => follower.onEvents(viewed(events), position),
    onGap: () => follower.onGap(),
  };
}

function viewed(events: readonly QueueEvent[]): readonly QueueEvent[] {
  if (!events.some(({ queue }) => isPartitionName(queue))) return events;
  const known = views.get(events);
  if (known) return known;
  const view = events.map((event) => ({ ...event, queue: queueOfPartition(event.queue) }));
  views.set(events, view);
  return view;
}
