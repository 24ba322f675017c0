import { setTimeout as delay } from 'node:timers/promises';
import { isAfter, positionBefore } from '../core/event-position.js';
import type { EventPosition } from '../core/ports/observer.js';
import type { QueueName } from '../core/task.js';
import { atOnce, BlockingConnection, serverTimeMs } from './blocking.js';
import type { Client } from './connection.js';
import { QUEUE_KEYS, queueKey } from './keys.js';
import { decodeEntry, type RawEntry, type StreamEntry } from './stream-entry.js';
import type { StreamHistory } from './stream-history.js';

const BLOCK_MS = 5_000;
const FAILED_MS = 200;
/** Entries of each stream read at once; each can carry many lines. */
const READ_COUNT = 200;
/** A queue stays followed this long after its last audience has left, since the next one is usually near. */
const LINGER_MS = 10_000;
/** After telling the reader rests for this many times as long, so that those who follow never take all of a process. */
const REST_SHARE = 2;
/** And for this long per stream, since each read costs Redis a look at every one of them: 1,000 then cost it half a per cent. */
const REST_MS_PER_STREAM = 0.1;

/** Who hears what a stream says. */
export interface Audience {
  /** In order. `stream.position` is that of the last entry; everything up to `before` had been heard before. */
  hear(stream: FollowedStream, entries: readonly StreamEntry[], before: EventPosition): void;
  /** Something may not have been heard: it was trimmed, or the store was away. */
  missed(): void;
  /** The store does not answer. Once it does, `missed` follows. */
  lost?(): void;
}

export interface FollowedStream {
  readonly queue: QueueName;
  /** Of the last entry heard. */
  readonly position: EventPosition;
  /** All that happened up to here has been heard. Moves on with time even where nothing happens. */
  readonly through: EventPosition;
}

/** Where the streams of queues are heard. */
export interface StreamSource {
  /**
   * The stream, all of whose entries after its position the audience hears from now on. `from`: where to begin where
   * nobody here follows the queue yet; absent, at its end.
   */
  join(queue: QueueName, audience: Audience, from?: EventPosition): Promise<FollowedStream>;
  leave(queue: QueueName, audience: Audience): void;
  close(): void;
}

type Reply = [key: string, entries: RawEntry[]][];

interface Stream extends FollowedStream {
  position: EventPosition;
  through: EventPosition;
  audiences: Set<Audience>;
  idleSince: number;
}

/**
 * Follows the event streams of all queues that somebody in this process wants to hear of: one connection and one XREAD for
 * all of them, each entry decoded once, so that a thousand who follow cost Redis no more than one.
 */
export class StreamReader implements StreamSource {
  private readonly streams = new Map<QueueName, Stream>();
  private connection: BlockingConnection | undefined;
  private reading = false;
  /** Of the connection on which was read last. */
  private session: string | undefined;
  private closed = false;

  constructor(
    private readonly connect: () => Client,
    private readonly commands: Client,
    private readonly history: StreamHistory,
    private readonly prefix: string,
    /** Told when nothing is followed any more. */
    private readonly onIdle: () => void = () => undefined,
  ) {}

  async join(queue: QueueName, audience: Audience, from?: EventPosition): Promise<FollowedStream> {
    const stream = this.streams.get(queue) ?? this.add(queue, from ?? (await this.history.latest(queue)));
    stream.audiences.add(audience);
    return stream;
  }

  leave(queue: QueueName, audience: Audience): void {
    const stream = this.streams.get(queue);
    if (!stream) return;
    stream.audiences.delete(audience);
    stream.idleSince = performance.now();
  }

  close(): void {
    this.closed = true;
    this.connection?.close();
  }

  private add(queue: QueueName, position: EventPosition): Stream {
    // Somebody may have been faster while the latest position was asked for.
    const present = this.streams.get(queue);
    if (present) return present;
    const idleSince = performance.now();
    const stream = { queue, position, through: position, audiences: new Set<Audience>(), idleSince };
    this.streams.set(queue, stream);
    if (this.reading) void this.connection?.interrupt();
    else void this.read();
    return stream;
  }

  private async read(): Promise<void> {
    this.reading = true;
    const connection = (this.connection ??= new BlockingConnection(this.connect(), this.commands));
    let lost = false;
    while (this.forgetIdle() > 0 && !this.closed) {
      try {
        if (lost) await this.recover();
        lost = false;
        const streams = [...this.streams.values()];
        const heard = await this.readOnce(connection, streams);
        const startedMs = performance.now();
        if (heard) await this.tell(streams, heard);
        const restMs = Math.max(
          (performance.now() - startedMs) * REST_SHARE,
          streams.length * REST_MS_PER_STREAM,
        );
        if (restMs >= 1) await delay(restMs, undefined, { ref: false });
      } catch {
        this.session = undefined;
        if (!lost) for (const audience of this.everybody()) audience.lost?.();
        lost = true;
        await delay(FAILED_MS, undefined, { ref: false });
      }
    }
    this.reading = false;
    if (!this.closed) this.onIdle();
  }

  private async readOnce(connection: BlockingConnection, streams: readonly Stream[]) {
    const keys = streams.map(({ queue }) => queueKey(this.prefix, queue, 'events'));
    const positions = streams.map(({ position }) => position);
    return connection.run(
      async (client) => {
        // Lost and found again between two reads: the store was away all the same.
        if (this.session !== undefined && this.session !== connection.session) throw new Error('reconnected');
        this.session = connection.session;
        // Whatever happened before this moment and is not in the reply was heard before, or did not happen.
        const [time, reply] = await atOnce(
          client
            .pipeline()
            .call('TIME')
            .xread('COUNT', READ_COUNT, 'BLOCK', BLOCK_MS, 'STREAMS', ...keys, ...positions),
        );
        return { asOfMs: serverTimeMs(time as [string, string]), reply: (reply ?? []) as Reply };
      },
      keys[0]!,
      BLOCK_MS,
    );
  }

  private async tell(
    streams: readonly Stream[],
    { asOfMs, reply }: { asOfMs: number; reply: Reply },
  ): Promise<void> {
    const behind = new Set<Stream>();
    for (const [key, entries] of reply) {
      const stream = this.streams.get(this.queueOf(key));
      if (!stream) continue;
      if (entries.length >= READ_COUNT) {
        behind.add(stream);
        if (await this.history.isTrimmedAfter(stream.queue, stream.position)) {
          for (const audience of stream.audiences) audience.missed();
        }
      }
      const before = stream.through;
      stream.position = entries.at(-1)![0];
      if (isAfter(stream.position, stream.through)) stream.through = stream.position;
      const decoded = entries.map((entry) => decodeEntry(stream.queue, entry));
      for (const audience of stream.audiences) audience.hear(stream, decoded, before);
    }
    const through = positionBefore(asOfMs);
    for (const stream of streams) {
      if (!behind.has(stream) && isAfter(through, stream.through)) stream.through = through;
    }
  }

  /** What happened meanwhile may have left the streams, or the store may have lost the end of what it had. */
  private async recover(): Promise<void> {
    await Promise.all(
      [...this.streams.values()].map(async (stream) => {
        const latest = await this.history.latest(stream.queue);
        if (isAfter(stream.position, latest)) stream.position = latest;
      }),
    );
    for (const audience of this.everybody()) audience.missed();
  }

  private everybody(): Set<Audience> {
    return new Set([...this.streams.values()].flatMap(({ audiences }) => [...audiences]));
  }

  /** Returns how many queues are still followed. */
  private forgetIdle(): number {
    const now = performance.now();
    for (const [queue, { audiences, idleSince }] of this.streams) {
      if (audiences.size === 0 && now - idleSince > LINGER_MS) this.streams.delete(queue);
    }
    return this.streams.size;
  }

  private queueOf(key: string): QueueName {
    return key.slice(this.prefix.length + 2, -`}:${QUEUE_KEYS.events.suffix}`.length);
  }
}
