import { LIMITS, parsePriority, type TaskChange, type TaskId } from '@app/queue';
import { Excludes, Field } from '../http/field.js';
import * as is from '../http/rule.js';
import { invalid } from '../http/validation.js';
import { priorityRule } from './submit-task.dto.js';

/** What to change of a task that waits; at least one. */
export class ChangeTaskDto {
  @Field(priorityRule, { description: '1 (very_low) to 6 (critical); higher starts first.', example: 'high' })
  priority?: number | string;

  @Field(is.duration(0, LIMITS.delayMsMax), {
    description: 'Start no earlier than this long from now. Not together with runAt.',
    example: '5m',
  })
  delay?: number | string;

  @Field(is.time(), {
    description: 'Start no earlier than this moment; at once if it has passed. Not together with delay.',
    example: '2026-12-24T18:00:00Z',
  })
  @Excludes('delay')
  runAt?: string;
}

/** The port's form of a checked change. @throws Problem `invalid-request` where it changes nothing */
export function toTaskChange(id: TaskId, { priority, delay, runAt }: ChangeTaskDto): TaskChange {
  if (priority === undefined && delay === undefined && runAt === undefined) {
    throw invalid([{ pointer: '', detail: 'must have at least one of priority, delay and runAt' }]);
  }
  const delayMs = is.readDurationMs(delay);
  const wantedAtMs = runAt === undefined ? undefined : Date.parse(runAt);
  return {
    id,
    priority: parsePriority(priority),
    runAtMs: delayMs === undefined ? wantedAtMs : Date.now() + delayMs,
  };
}
