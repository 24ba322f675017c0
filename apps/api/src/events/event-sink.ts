import type { EventPosition, Following, QueueEvent } from '@app/queue';

/** Where what somebody follows is told, whatever carries it. */
export interface EventSink {
  readonly isOver: boolean;
  send(name: string, data: unknown, position?: EventPosition): void;
  /** The promise, where there is one, resolves when its reader is ready for more. */
  sendEvents(events: readonly QueueEvent[], position: EventPosition): void | Promise<void>;
  /** What goes on until the end. */
  follow(following: Following): void;
  end(): void;
}
