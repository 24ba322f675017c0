import { timeOfPosition } from '../core/event-position.js';
import { taskId } from '../core/names.js';
import type { EventPosition, QueueEvent } from '../core/ports/observer.js';
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
 * `<state> <key> <attempt>`, with ` <type> <tenant>` where they are not those of the line before, and `<key>` alone where
 * state and attempt are those of the line before too; `progress <key> <attempt>`;
 * `logs <key> <attempt> <last line> <lines>`. As moves.lua, settle.lua and extend.lua write them.
 */
export function decodeEntry(queue: QueueName, [position, fields]: RawEntry): StreamEntry {
  const at = timeOfPosition(position);
  let [state, attempt, type, tenant]: (string | undefined)[] = [];
  const lines = fields[1]!.split('\n').map((line): StreamLine => {
    const words = line.split(' ');
    const [kind, key] = words.length === 1 ? [state!, line] : (words as [string, string]);
    const report = kind === 'progress' || kind === 'logs';
    // What a report says itself comes before whose it is.
    const [newType, newTenant] = words.slice(kind === 'logs' ? 5 : 3);
    if (newType !== undefined) [type, tenant] = [newType, newTenant];
    if (!report && words.length > 1) [state, attempt] = [kind, words[2]];
    const common = { at, queue, taskId: taskId(queue, key), attempt: Number(report ? words[2] : attempt) };
    if (!report) return { key, event: { kind: kind as TaskState, ...common, type, tenant } };
    const [last, count] = kind === 'logs' ? [words[3]!, words[4]!] : ['', ''];
    return { key, event: { kind, ...common }, report: { last, count } };
  });
  return { position, lines };
}
