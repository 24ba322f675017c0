import { isAfter, ORIGIN } from '../core/event-position.js';
import type { EventPosition } from '../core/ports/observer.js';
import type { QueueName } from '../core/task.js';
import { Cluster } from 'ioredis';
import { serverTimeMs } from './blocking.js';
import type { Client } from './connection.js';
import { queueKey } from './keys.js';
import type { ScriptRunner } from './script-runner.js';
import { decodeEntry, type RawEntry, type StreamEntry } from './stream-entry.js';

/** Entries read at once by somebody who catches up. */
const PAGE_ENTRIES = 200;

/** What the queues' streams still hold. */
export class StreamHistory {
  constructor(
    private readonly client: Client,
    private readonly scripts: ScriptRunner,
    private readonly prefix: string,
  ) {}

  /** Of the latest entry; the origin where there is none. */
  async latest(queue: QueueName): Promise<EventPosition> {
    const key = queueKey(this.prefix, queue, 'events');
    const entries = await this.scripts.patiently(() => this.client.xrevrange(key, '+', '-', 'COUNT', 1));
    return (entries as RawEntry[])[0]?.[0] ?? ORIGIN;
  }

  /** Some entries after a position, and whether there were others before them that are not kept any more. */
  async read(
    queue: QueueName,
    after: EventPosition,
    upTo: EventPosition,
  ): Promise<{ entries: StreamEntry[]; missed: boolean }> {
    const key = queueKey(this.prefix, queue, 'events');
    const entries = (await this.scripts.patiently(() =>
      this.client.xrange(key, `(${after}`, upTo, 'COUNT', PAGE_ENTRIES),
    )) as RawEntry[];
    const missed = await this.isTrimmedAfter(queue, after);
    return { entries: entries.map((entry) => decodeEntry(queue, entry)), missed };
  }

  /** Whether entries after this position are gone. They go from the front, so asking late errs towards yes. */
  async isTrimmedAfter(queue: QueueName, position: EventPosition): Promise<boolean> {
    const key = queueKey(this.prefix, queue, 'events');
    const reply = await this.scripts.patiently(() =>
      this.client.call('XINFO', 'STREAM', key).catch((error: Error) => {
        if (error.message === 'ERR no such key') return undefined;
        throw error;
      }),
    );
    const info = fieldsOf((reply ?? []) as unknown[]);
    if (Number(info.get('entries-added') ?? 0) <= Number(info.get('length') ?? 0)) return false;
    const first = info.get('first-entry') as RawEntry | null;
    return first === null || isAfter(first[0], position);
  }

  /** By the clock that is furthest behind, where there are several. */
  async nowMs(): Promise<number> {
    const servers = this.client instanceof Cluster ? this.client.nodes('master') : [this.client];
    const times = await this.scripts.patiently(() =>
      Promise.all(servers.map(async (server) => serverTimeMs(await server.time()))),
    );
    return Math.min(...times);
  }
}

function fieldsOf(reply: unknown[]): Map<string, unknown> {
  const fields = new Map<string, unknown>();
  for (let i = 0; i < reply.length; i += 2) fields.set(String(reply[i]), reply[i + 1]);
  return fields;
}
