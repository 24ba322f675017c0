import { LIMITS, parseLabels, type WorkerQuery } from '@app/queue';
import { Field } from '../http/field.js';
import * as is from '../http/rule.js';

const labels = is.rule(
  `must be up to ${LIMITS.workerLabelsMax} labels such as gpu=a100,zone=eu`,
  { type: 'string' },
  (value) => typeof value === 'string' && parseLabels(value) !== undefined,
);

/** Which workers to list. */
export class ListWorkersDto {
  @Field(is.integer(1, LIMITS.listLimitMax), { description: 'At most this many.', default: 50, example: 50 })
  limit?: number;

  @Field(is.name('workerId'), { description: '`nextCursor` of the page before.' })
  cursor?: string;

  @Field(is.name('queue'), { description: 'Only those that take tasks from this queue.', example: 'emails' })
  queue?: string;

  @Field(labels, {
    description: 'Only those that have all of these labels, separated by commas.',
    example: 'gpu=a100,zone=eu',
  })
  labels?: string;
}

export function toWorkerQuery({ limit = 50, cursor, queue, labels: text }: ListWorkersDto): WorkerQuery {
  return { limit, cursor, queue, labels: text === undefined ? undefined : parseLabels(text) };
}
