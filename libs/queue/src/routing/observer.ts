import { earliest, ORIGIN } from '../core/event-position.js';
import type {
  EventFollower,
  EventPosition,
  EventSelection,
  Following,
  Observer,
} from '../core/ports/observer.js';
import type { Queue } from '../core/ports/queue.js';
import type { QueueName, Task, TaskId } from '../core/task.js';
import type { Router } from './router.js';

type OfQueues = Extract<EventSelection, { queues: unknown }>;

export class RoutedObserver implements Observer {
  constructor(private readonly router: Router) {}

  async snapshot(id: TaskId): Promise<{ task: Task; position: EventPosition } | undefined> {
    return this.router.ofTask(id).snapshot(id);
  }

  async follow(
    selection: EventSelection,
    follower: EventFollower,
    after?: EventPosition,
  ): Promise<Following> {
    if ('task' in selection) return this.router.ofTask(selection.task).follow(selection, follower, after);
    const parts = this.partsOf(selection);
    const [only, ...others] = parts;
    if (only && others.length === 0) return only.backend.follow(selection, follower, after);
    const following = new RoutedFollowing(follower, after);
    try {
      for (const { backend, queues } of parts) {
        const serves = (queue: QueueName) => this.router.of(queue) === backend;
        await following.add(serves, (told) => backend.follow({ ...selection, queues }, told, after));
      }
    } catch (error) {
      following.stop();
      throw error;
    }
    return following;
  }

  private partsOf({ queues }: OfQueues): { backend: Queue; queues: OfQueues['queues'] }[] {
    const { backends, main, of } = this.router;
    if (queues === 'all') return backends.map((backend) => ({ backend, queues }));
    const parts = backends.map((backend) => ({
      backend,
      queues: queues.filter((queue) => of(queue) === backend),
    }));
    const filled = parts.filter((part) => part.queues.length > 0);
    return filled.length > 0 ? filled : [{ backend: main, queues }];
  }
}

/** Follows in several backends at once. Positions are moments, so one serves for all: the one that is furthest behind. */
class RoutedFollowing implements Following {
  private readonly parts: { position?: EventPosition; following?: Following }[] = [];
  private stopped = false;

  constructor(
    private readonly follower: EventFollower,
    private readonly after: EventPosition | undefined,
  ) {}

  get position(): EventPosition {
    const positions = this.parts.map(({ position, following }) => following?.position ?? position);
    // What nothing has ever happened in holds nobody back.
    return earliest(
      positions.filter((position) => position !== undefined && position !== ORIGIN) as string[],
    );
  }

  async add(
    serves: (queue: QueueName) => boolean,
    follow: (follower: EventFollower) => Promise<Following>,
  ): Promise<void> {
    const part: RoutedFollowing['parts'][number] = { position: this.after };
    this.parts.push(part);
    const following = await follow({
      onEvents: (events, position) => {
        part.position = position;
        // Another backend may have had a queue of that name before.
        const own = events.every(({ queue }) => serves(queue))
          ? events
          : events.filter(({ queue }) => serves(queue));
        return own.length > 0 ? this.follower.onEvents(own, this.position) : undefined;
      },
      onGap: () => this.follower.onGap(),
    });
    part.following = following;
    if (this.stopped) following.stop();
  }

  stop(): void {
    this.stopped = true;
    for (const { following } of this.parts) following?.stop();
  }
}
