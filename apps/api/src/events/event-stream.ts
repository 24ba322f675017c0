import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { EventPosition, Following, QueueEvent } from '@app/queue';
import type { FastifyReply } from 'fastify';
import type { EventSink } from './event-sink.js';
import { renderEvents } from './event.view.js';
import { EVENT_STREAM, frame, KEEP_ALIVE, mark, preamble } from './sse.js';

/** At most, and half of it at least: thousands that came together should not be due together. */
const KEEP_ALIVE_MS = 15_000;
const RETRY_MS = 2_000;
/** What may wait for a reader to take it, in bytes, when more is to be sent: beyond that it is too slow, and cut. */
const UNREAD_BYTES_MAX = 256 * 1024;

/** One answer that goes on: what is sent to it, and when it is over. */
export class EventStream implements EventSink {
  private readonly raw: ServerResponse;
  private readonly keepingAlive: NodeJS.Timeout;
  private following: Following | undefined;
  private sent: EventPosition | undefined;
  /** Whether it was too slow. */
  cut = false;

  /** Sends the head; from here on nothing can be refused any more. */
  constructor(reply: FastifyReply) {
    reply.header('content-type', EVENT_STREAM);
    // Proxies would collect what is sent, and the connection is of no use to another request.
    reply.headers({ 'x-accel-buffering': 'no', connection: 'close' });
    reply.hijack();
    this.raw = reply.raw;
    this.raw.writeHead(200, reply.getHeaders() as Record<string, string>);
    this.raw.write(preamble(RETRY_MS));
    const periodMs = KEEP_ALIVE_MS * (0.5 + Math.random() / 2);
    this.keepingAlive = setInterval(() => this.keepAlive(), periodMs).unref();
    this.raw.once('close', () => this.stop());
  }

  get isOver(): boolean {
    return this.raw.writableEnded || this.raw.destroyed;
  }

  /** What goes on as long as the stream does. */
  follow(following: Following): void {
    this.following = following;
    if (this.isOver) following.stop();
    else this.markPosition();
  }

  send(name: string, data: unknown, id?: EventPosition): void {
    this.write(frame(name, data, id), id);
  }

  /** Resolves when the reader has taken what it was sent, for those who have more than it need take at once. */
  sendEvents(events: readonly QueueEvent[], position: EventPosition): void | Promise<void> {
    this.write(renderEvents(events, position), position);
    if (this.raw.writableNeedDrain && !this.isOver) return this.drained();
  }

  end(): void {
    this.stop();
    if (!this.isOver) this.raw.end();
  }

  private write(data: string | Buffer, position?: EventPosition): void {
    if (this.isOver) return;
    if (this.raw.writableLength > UNREAD_BYTES_MAX) {
      this.cut = true;
      this.raw.destroy();
      return;
    }
    this.sent = position ?? this.sent;
    this.raw.write(data);
  }

  private keepAlive(): void {
    if (!this.markPosition()) this.write(KEEP_ALIVE);
  }

  /** So that one who was told nothing for long, since nothing passed its filter, does not go on from long ago. */
  private markPosition(): boolean {
    const position = this.following?.position;
    if (position === undefined || position === this.sent) return false;
    this.write(mark(position), position);
    return true;
  }

  private async drained(): Promise<void> {
    const over = new AbortController();
    const onClose = (): void => over.abort();
    this.raw.once('close', onClose);
    await once(this.raw, 'drain', { signal: over.signal }).catch(() => undefined);
    this.raw.off('close', onClose);
  }

  private stop(): void {
    clearInterval(this.keepingAlive);
    this.following?.stop();
  }
}
