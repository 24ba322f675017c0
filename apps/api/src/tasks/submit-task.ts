import type { EnqueueOutcome, Producer } from '@app/queue';
import { fingerprint } from '../http/idempotency.js';
import { Problem } from '../http/problem.js';
import { toNewTask, type SubmitTaskDto } from './submit-task.dto.js';

/** Stores one task. @throws Problem, QueueError where it was not stored */
export async function submitTask(
  producer: Producer,
  dto: SubmitTaskDto,
  key?: string,
): Promise<Exclude<EnqueueOutcome, { status: 'refused' }>> {
  const idempotency = key === undefined ? undefined : { key, fingerprint: fingerprint(dto) };
  const [outcome] = await producer.enqueue([toNewTask(dto, idempotency)]);
  if (!outcome) throw new Problem('internal');
  if (outcome.status === 'refused') throw outcome.error;
  return outcome;
}
