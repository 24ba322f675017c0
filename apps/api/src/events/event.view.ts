import { TASK_STATES, type EventPosition, type QueueEvent } from '@app/queue';
import { ApiProperty } from '@nestjs/swagger';
import { ANY_JSON } from '../http/rule.js';
import { LogLineView } from '../tasks/get-task.dto.js';
import { frame } from './sse.js';

/** What every event says. */
class EventView {
  @ApiProperty({ description: 'The task.', example: 'emails~order-42' })
  id!: string;

  @ApiProperty({ description: 'Its queue.', example: 'emails' })
  queue!: string;

  @ApiProperty({
    description: 'When it happened.',
    type: 'string',
    format: 'date-time',
    example: '2026-01-31T12:00:00.000Z',
  })
  at!: string;

  @ApiProperty({ description: 'Attempts started until then.', type: 'integer', example: 1 })
  attempt!: number;
}

/** `event: state`: a task has entered a state. */
export class StateEventView extends EventView {
  @ApiProperty({ description: 'The state.', enum: TASK_STATES, example: 'running' })
  state!: string;

  @ApiProperty({ description: 'The type of the task.', example: 'email.send' })
  type!: string;

  @ApiProperty({ description: 'The tenant of the task.', example: 'acme' })
  tenant!: string;
}

/** `event: progress`: what the worker last reported; what it replaced meanwhile is not told. */
export class ProgressEventView extends EventView {
  @ApiProperty({ description: 'As reported.', anyOf: ANY_JSON, example: { percent: 40 } })
  progress!: unknown;
}

/** `event: logs`: lines the handler wrote. */
export class LogsEventView extends EventView {
  @ApiProperty({ description: 'The new lines, oldest first.', type: [LogLineView] })
  items!: LogLineView[];
}

/** Texts and bytes that many followers are sent, made once. They go when the events go. */
const texts = new WeakMap<QueueEvent, string>();
const parts = new WeakMap<readonly QueueEvent[], { position: EventPosition; bytes: Buffer }>();

/** Events as they are sent. The last one bears the position: one who breaks off before it gets them all again. */
export function renderEvents(events: readonly QueueEvent[], position: EventPosition): Buffer {
  const known = parts.get(events);
  if (known?.position === position) return known.bytes;
  const last = events.at(-1)!;
  const text = events.slice(0, -1).map(textOf).join('') + frame(nameOf(last), viewEvent(last), position);
  const bytes = Buffer.from(text);
  parts.set(events, { position, bytes });
  return bytes;
}

function textOf(event: QueueEvent): string {
  const known = texts.get(event);
  if (known !== undefined) return known;
  const text = frame(nameOf(event), viewEvent(event));
  texts.set(event, text);
  return text;
}

export function nameOf({ kind }: QueueEvent): string {
  return kind === 'progress' || kind === 'logs' ? kind : 'state';
}

export function viewEvent(event: QueueEvent): StateEventView | ProgressEventView | LogsEventView {
  const { taskId: id, queue, attempt, kind, type, tenant, progress, logs } = event;
  const common = { id, queue, at: showTime(event.at), attempt };
  if (kind === 'progress') return { ...common, progress: JSON.parse(progress!) as unknown };
  if (kind === 'logs') return { ...common, items: logs!.map((line) => ({ ...line, at: showTime(line.at) })) };
  return { ...common, state: kind, type: type!, tenant: tenant! };
}

function showTime(ms: number): string {
  return new Date(ms).toISOString();
}
