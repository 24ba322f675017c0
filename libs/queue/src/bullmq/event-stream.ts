import type { IQueueBackend } from 'bullmq';
import { setTimeout as delay } from 'node:timers/promises';
import { ORIGIN } from '../core/event-position.js';
import type { EventPosition } from '../core/ports/observer.js';
import type { QueueName } from '../core/task.js';
import { DIRECTORY, type Store } from './store.js';

/** How long one read waits for events. */
const READ_MS = 10_000;
const AGAIN_MS = 500;
/** What BullMQ keeps of events where nobody has said otherwise. */
const EVENTS_KEPT = 10_000;
/** The field of a queue's metadata that says how many. */
const EVENTS_KEPT_FIELD = 'opts.maxLenEvents';

/** Ours, of lines that were written. */
export const LOGS_EVENT = 'fairlane-logs';

/** One event of BullMQ's. */
export interface Entry {
  position: EventPosition;
  event: string;
  jobId?: string;
  /** The set or list the job was in. */
  prev?: string;
  /** The job's name, with `added`. */
  name?: string;
  /** With `fairlane-logs`: time in ms since the epoch and attempt, which no other lines of the job have both, and how many. */
  at?: string;
  attempt?: string;
  lines?: string;
  /** With `progress`, as JSON. */
  data?: string;
  /** With `failed`. */
  failedReason?: string;
  /** With `delayed`: when it is due, in ms since the epoch. */
  delay?: string;
}

export interface StreamListener {
  onEntries(stream: EventStream, entries: readonly Entry[]): void;
  /** The store was away, and something may be missing. */
  onAway?(stream: EventStream): void;
}

/** The events of one queue, read by one connection for all who listen in this process. */
export class EventStream {
  readonly listeners = new Set<StreamListener>();
  /** Everything up to here has been told. */
  position: EventPosition = ORIGIN;
  /** When all there was had last been read, by the clock of this process. */
  readAtMs?: number;
  #backend?: IQueueBackend;
  #closed = false;

  constructor(
    readonly queue: QueueName,
    private readonly store: Store,
  ) {}

  /** Begins with what happens from now on. */
  async start(): Promise<void> {
    this.position = await positionNow(this.store, this.queue);
    void this.#read();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.listeners.clear();
    await closeBlocking(this.#backend);
  }

  /** A connection that broke off is not used again: what it was asked last would never be answered. */
  async #read(): Promise<void> {
    for (let away = false; !this.#closed; away = true) {
      const backend = this.store.blockingBackend(this.queue);
      this.#backend = backend;
      await this.#readFrom(backend, away).catch(() => undefined);
      await closeBlocking(backend);
      if (!this.#closed) await delay(AGAIN_MS);
    }
  }

  /** Until its connection breaks off. `away`: it is not the first one. */
  async #readFrom(backend: IQueueBackend, away: boolean): Promise<never> {
    let breakOff: (error: Error) => void = () => undefined;
    backend.on('close', () => breakOff(new Error('The connection was closed.')));
    const read = (ms: number) =>
      new Promise<Reply>((resolve, reject) => {
        breakOff = reject;
        backend.readEvents(this.position, ms).then(resolve, reject);
      });
    for (let again = away; ; again = false) {
      // Not waiting, to be able to tell at once that it is back.
      const entries = decode(await read(again ? 1 : READ_MS));
      this.readAtMs = Date.now();
      if (again) for (const listener of this.listeners) listener.onAway?.(this);
      if (entries.length === 0) continue;
      this.position = entries.at(-1)!.position;
      for (const listener of this.listeners) listener.onEntries(this, entries);
    }
  }
}

type Reply = Awaited<ReturnType<IQueueBackend['readEvents']>>;

/** The streams that somebody listens to, and what is still kept of them. */
export class EventStreams {
  readonly #streams = new Map<QueueName, { stream: EventStream; started: Promise<void> }>();
  #history?: IQueueBackend;

  constructor(private readonly store: Store) {}

  /** Listens to a queue. What happens from now on is heard. */
  async join(queue: QueueName, listener: StreamListener): Promise<EventStream> {
    let known = this.#streams.get(queue);
    if (!known) {
      const stream = new EventStream(queue, this.store);
      known = { stream, started: stream.start() };
      this.#streams.set(queue, known);
      known.started.catch(() => this.#streams.delete(queue));
    }
    known.stream.listeners.add(listener);
    await known.started;
    return known.stream;
  }

  leave(queue: QueueName, listener: StreamListener): void {
    const known = this.#streams.get(queue);
    if (!known) return;
    known.stream.listeners.delete(listener);
    if (known.stream.listeners.size > 0) return;
    this.#streams.delete(queue);
    void known.started.then(() => known.stream.close()).catch(() => undefined);
  }

  /** All that is kept of what came after a position. `missed`: so much that some of it may be gone. */
  async history(queue: QueueName, after: EventPosition): Promise<{ entries: Entry[]; missed: boolean }> {
    this.#history ??= this.store.blockingBackend(DIRECTORY);
    const backend = this.#history.forQueue(queue);
    const kept = await this.store.run(queue, eventsKept);
    const entries = decode(await backend.readEvents(after, 1));
    return { entries, missed: entries.length >= kept };
  }

  async close(): Promise<void> {
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    await Promise.all([...streams.map(({ stream }) => stream.close()), closeBlocking(this.#history)]);
  }
}

/** The position after everything that has happened to a queue. It is taken by an event of our own, which nobody minds. */
export async function positionNow(store: Store, queue: QueueName): Promise<EventPosition> {
  return store.run(queue, async (backend) => {
    // A queue that is none yet has had no events, and must not become one by being listened to.
    const kept = await backend.getQueueMetaField(EVENTS_KEPT_FIELD);
    return kept === null ? ORIGIN : backend.publishEvent({ event: 'fairlane' }, Number(kept));
  });
}

/** How many events of a queue there are at most. */
export async function eventsKept(backend: IQueueBackend): Promise<number> {
  const kept = await backend.getQueueMetaField(EVENTS_KEPT_FIELD);
  return kept === null ? EVENTS_KEPT : Number(kept);
}

function decode(reply: Reply): Entry[] {
  const [[, entries] = ['', []]] = reply ?? [];
  return entries.map(([position, fields]) => {
    const entry: Record<string, string> = {};
    for (let i = 0; i < fields.length; i += 2) entry[fields[i]!] = fields[i + 1]!;
    return { event: '', ...entry, position };
  });
}

/** Ends the read that waits, too. */
async function closeBlocking(backend: IQueueBackend | undefined): Promise<void> {
  // One that is still connecting would complain on the console.
  await backend?.waitUntilReady().catch(() => undefined);
  await backend?.close(true).catch(() => undefined);
}
