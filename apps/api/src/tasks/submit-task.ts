import type { EnqueueOutcome, Producer } from '@app/queue';
import { BODY_PROBLEMS } from '../http/api-problems.js';
import { fingerprint } from '../http/idempotency.js';
import { Problem, type ProblemCode } from '../http/problem.js';
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

/** What a submission can run into. */
export const SUBMIT_PROBLEMS = [
  ...BODY_PROBLEMS,
  'malformed-header',
  'id-conflict',
  'queue-draining',
  'task-gone',
  'idempotency-mismatch',
  'backlog-full',
  'store-full',
] as const satisfies ProblemCode[];
