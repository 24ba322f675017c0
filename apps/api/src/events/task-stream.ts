import {
  isTerminal,
  type EventPosition,
  type Inspector,
  type Observer,
  type QueueEvent,
  type Task,
  type TaskId,
  type TaskState,
  timeOfPosition,
} from '@app/queue';
import { viewTask } from '../tasks/task.view.js';
import type { EventSink } from './event-sink.js';

/** What happens to one task, from how it is now, or from where one broke off, to its end. */
export class TaskStream {
  private ending = false;

  constructor(
    private readonly id: TaskId,
    private readonly observer: Observer,
    private readonly inspector: Inspector,
    private readonly stream: EventSink,
  ) {}

  /** @param after where one broke off who knows the task as it was then */
  async begin(
    { task, position }: { task: Task; position: EventPosition },
    after: EventPosition | undefined,
  ): Promise<void> {
    if (after === undefined || isTerminal(task.state)) this.show(task, position);
    if (isTerminal(task.state)) return this.stream.end();
    const following = await this.observer.follow(
      { task: this.id },
      {
        onEvents: (events, reached) => this.tell(events, reached),
        onGap: () => void this.afresh(),
      },
      after ?? position,
    );
    this.stream.follow(following);
  }

  private tell(events: readonly QueueEvent[], position: EventPosition): void | Promise<void> {
    if (this.ending) return;
    const end = events.findIndex(({ kind }) => isTerminal(kind as TaskState));
    if (end < 0) return this.stream.sendEvents(events, position);
    this.ending = true;
    void this.stream.sendEvents(events.slice(0, end + 1), position);
    return this.close(position);
  }

  /** With what only the task itself says: its result, its errors. */
  private async close(position: EventPosition): Promise<void> {
    const [task] = await this.inspector.get([this.id]).catch(() => []);
    if (task) this.show(task, position);
    this.stream.end();
  }

  /** After a gap: as it is now, since it is not known what was missed. */
  private async afresh(): Promise<void> {
    this.stream.send('gap', {});
    const found = await this.observer.snapshot(this.id).catch(() => undefined);
    if (this.ending) return;
    if (found) this.show(found.task, found.position);
    if (!found || isTerminal(found.task.state)) this.stream.end();
  }

  private show(task: Task, position: EventPosition): void {
    this.stream.send(
      'task',
      viewTask(task),
      task.finishedAt === undefined ? position : endOf(task.finishedAt),
    );
  }
}

/** Whether one who broke off there has been told that the task had ended. */
export function knowsEnd({ finishedAt }: Task, position: EventPosition): boolean {
  return finishedAt !== undefined && timeOfPosition(position) > finishedAt;
}

/** Later than whatever led to the end: an end within the same millisecond as something else must not pass for known. */
function endOf(finishedAt: number): EventPosition {
  return `${finishedAt + 1}-0`;
}
