import type { EventPosition, Following, QueueEvent } from '@app/queue';
import type { EventSink } from '../events/event-sink.js';
import { nameOf, viewEvent } from '../events/event.view.js';
import type { Message } from './envelope.js';

/** What a sink needs of its connection. */
interface Carrier {
  readonly isSlow: boolean;
  send(message: Message): Promise<boolean>;
  cut(): void;
}

/** Tells what one message of a connection asked to follow, after that message has been answered. */
export class SocketSink implements EventSink {
  isOver = false;
  #following?: Following;
  /** What is to be told after the answer. */
  #held?: object[] = [];

  constructor(
    private readonly carrier: Carrier,
    private readonly requestId: string,
    private readonly onEnd: () => void,
  ) {}

  /** Call when the answer is about to be sent. */
  open(): void {
    setImmediate(() => {
      for (const body of this.#held ?? []) void this.#tell(body);
      this.#held = undefined;
    });
  }

  send(name: string, data: unknown, position?: EventPosition): void {
    if (!this.isOver) void this.#push({ name, data, position });
  }

  sendEvents(events: readonly QueueEvent[], position: EventPosition): void | Promise<void> {
    if (this.isOver) return;
    const last = events.length - 1;
    const told = events.map((event, index) =>
      this.#push({
        name: nameOf(event),
        data: viewEvent(event),
        // Who breaks off before the last gets them all again.
        position: index === last ? position : undefined,
      }),
    );
    return told[last];
  }

  follow(following: Following): void {
    this.#following = following;
    if (this.isOver) following.stop();
  }

  /** And says so, since there is nothing to go on with. */
  end(): void {
    if (this.isOver) return;
    void this.#push({ name: 'end' });
    this.stop();
  }

  stop(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#following?.stop();
    this.onEnd();
  }

  #push(body: object): void | Promise<void> {
    if (this.#held) return void this.#held.push(body);
    // Nothing is kept for whoever does not read; it can go on from where it was.
    if (this.carrier.isSlow) return this.carrier.cut();
    return this.#tell(body);
  }

  async #tell(body: object): Promise<void> {
    await this.carrier.send({ type: 'event', requestId: this.requestId, body });
  }
}
