import { timeOfPosition } from '../core/event-position.js';
import { taskId } from '../core/names.js';
import type { EventPosition, QueueEvent } from '../core/ports.js';
import type { QueueName, TaskState } from '../core/task.js';

/** As XREAD and XRANGE return it. */
export type RawEntry = [id: string, fields: string[]];

/** One entry of a queue's stream, read once for all who follow. */
export interface StreamEntry {
  readonly position: EventPosition;
  readonly lines: readonly StreamLine[];
}

export interface StreamLine {
  readonly key: string;
  readonly event: QueueEvent;
  /** Of a report, which the stream only says that there is: numbers of the last log line and of how many, '' for progress. */
  readonly report?: { last: string; count: string };
}

/**
 * `<state> <key> <attempt>`, with ` <type> <tenant>` where they are not those of the line before; `progress <key> <attempt>`;
 * `logs <key> <attempt> <last line> <lines>`. As moves.lua, settle.lua and extend.lua write them.
 */
export function decodeEntry(queue: QueueName, [position, fields]: RawEntry): StreamEntry {
  const at = timeOfPosition(position);
  let [type, tenant]: (string | undefined)[] = [];
  const lines = fields[1]!.split('\n').map((text): StreamLine => {
    const [kind, key, attempt, first, second] = text.split(' ') as [string, string, string, string?, string?];
    const common = { at, queue, taskId: taskId(queue, key), attempt: Number(attempt) };
    if (kind === 'progress' || kind === 'logs') {
      // The line may also say whose it is, after what it says itself.
      const rest = text.split(' ').slice(kind === 'logs' ? 5 : 3);
      if (rest.length === 2) [type, tenant] = rest;
      const report = kind === 'logs' ? { last: first!, count: second! } : { last: '', count: '' };
      return { key, event: { kind, ...common }, report };
    }
    if (first !== undefined) [type, tenant] = [first, second];
    return { key, event: { kind: kind as TaskState, ...common, type, tenant } };
  });
  return { position, lines };
}
