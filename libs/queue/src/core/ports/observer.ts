import type { JsonText, LogLine, QueueName, Task, TaskId, TaskState } from '../task.js';

/** What happened to a task. Strings and numbers only, the same object for all who follow, and not to be changed by any. */
export interface QueueEvent {
  /** A state: the task has entered it. Else its worker has reported, which only those who follow the task hear. */
  kind: TaskState | 'progress' | 'logs';
  /** When, in ms since the epoch on the store's clock. */
  at: number;
  queue: QueueName;
  taskId: TaskId;
  /** Attempts started until then. */
  attempt: number;
  /** As `tenant`, absent from reports: who follows one task knows them. */
  type?: string;
  tenant?: string;
  /** With `progress`: what was last reported when this was read. */
  progress?: JsonText;
  /** With `logs`: the lines, oldest first, as far as they are still kept. */
  logs?: readonly LogLine[];
}

/** Whose events to follow. */
export type EventSelection = { task: TaskId } | ({ queues: readonly QueueName[] | 'all' } & EventFilter);

/** Which events to hear of: those that are in each of the lists given. */
export interface EventFilter {
  states?: readonly TaskState[];
  types?: readonly string[];
  tenants?: readonly string[];
}

/** Somebody who follows tasks. */
export interface EventFollower {
  /**
   * Something has happened, in the order in which it happened to each task. `position` is where to go on after all of it.
   *
   * What is old when one begins to follow comes in parts: the next one once the promise, where there is one, has resolved.
   * What is new does not wait for anybody, so a follower must bound what it keeps.
   */
  onEvents(events: readonly QueueEvent[], position: EventPosition): void | Promise<void>;
  /** Something may have happened that was not told: it is not kept any more, or the store was away. */
  onGap(): void;
}

/** How far somebody has followed: text of one form for all that can be followed, to go on from later or elsewhere. */
export type EventPosition = string;

export interface Following {
  /** Following again after this misses nothing; what came last may come again. Moves on while nothing is told, too. */
  readonly position: EventPosition;
  stop(): void;
}

export interface Observer {
  /**
   * Tells a follower what happens from now on, or has happened since `after`: as much of it as `LIMITS.eventsKept` is
   * kept, and `onGap` first where that is not all. Of a task every state and report; of queues states. `all`: the first
   * `LIMITS.followedQueuesMax` queues by name (a tenth of that on a cluster), new ones within seconds and with all that
   * happened in them. What happens to queues that are deleted is told up to their deletion.
   *
   * @throws QueueError `invalid-position`, `invalid-request`, `invalid-task-id`
   */
  follow(selection: EventSelection, follower: EventFollower, after?: EventPosition): Promise<Following>;
  /** A task, and the position up to which everything has happened to it: who follows on from there misses nothing. */
  snapshot(id: TaskId): Promise<{ task: Task; position: EventPosition } | undefined>;
}
