import type { Capability, EnqueueOutcome, NewTask, Producer, QueueError } from '@app/queue';
import { fingerprint, partKey } from '../http/idempotency.js';
import { Problem, problemOf, PROBLEMS, retryAfterSeconds, type ProblemCode } from '../http/problem.js';
import { check, invalid } from '../http/validation.js';
import { submitEach, toCandidate } from './submit-each.js';
import { SubmitTaskDto, toNewTask } from './submit-task.dto.js';
import type { SubmitOutcomeView, TaskBatchDto, TaskBatchView } from './task-batch.dto.js';
import { viewTask } from './task.view.js';

/**
 * Stores all tasks of a batch, or all that can be stored. `key` is the batch's idempotency key.
 *
 * @throws Problem, QueueError where nothing was stored
 */
export async function submitBatch(
  producer: Producer,
  { tasks, atomic = true }: TaskBatchDto,
  key?: string,
): Promise<TaskBatchView> {
  const submit = atomic ? submitTogether : submitApart;
  return view(await submit(producer, tasks, key));
}

/** The identity of one task of a batch. */
export function partIdempotency(
  key: string | undefined,
  part: number,
  plain: unknown,
): NewTask['idempotency'] {
  return key === undefined ? undefined : { key: partKey(key, part), fingerprint: fingerprint(plain) };
}

async function submitTogether(
  producer: Producer,
  plain: readonly unknown[],
  key?: string,
): Promise<SubmitOutcomeView[]> {
  const checked = plain.map((one) => check(SubmitTaskDto, one));
  const faults = checked.flatMap((one, index) =>
    one.faults.map(({ pointer, detail }) => ({ pointer: `/tasks/${index}${pointer}`, detail })),
  );
  if (faults.length > 0) throw invalid(faults);
  const tasks = checked.map(({ value }, index) =>
    toNewTask(value, partIdempotency(key, index, plain[index]), `/tasks/${index}`),
  );
  const outcomes = await producer.enqueue(tasks, { atomic: true });
  return outcomes.map((outcome) => {
    if (outcome.status === 'refused') throw batchRefusal(tasks, outcomes, outcome.error);
    return { status: outcome.status, task: viewTask(outcome.task, false) };
  });
}

async function submitApart(
  producer: Producer,
  plain: readonly unknown[],
  key?: string,
): Promise<SubmitOutcomeView[]> {
  const candidates = plain.map((one, index) => toCandidate(one, partIdempotency(key, index, one)));
  const outcomes = await submitEach(producer, candidates);
  if (outcomes.every(({ status }) => status === 'refused')) throw nothingStored(outcomes);
  return outcomes;
}

/** Tells which tasks kept an atomic batch from being stored; the port gives the others the first one's error. */
function batchRefusal(
  tasks: readonly NewTask[],
  outcomes: readonly EnqueueOutcome[],
  first: QueueError,
): Problem {
  const errors = outcomes.flatMap((outcome, index) => {
    if (outcome.status !== 'refused' || NO_TASKS_FAULT.has(outcome.error.code)) return [];
    const { code, message, data } = outcome.error;
    if (code === 'id-conflict' && !data.taskId?.endsWith(`~${tasks[index]?.key}`)) return [];
    return [{ pointer: `/tasks/${index}`, detail: message, code }];
  });
  return new Problem(first.code, {
    ...problemOf(first).facts,
    detail: 'Nothing was stored.',
    errors: errors.length > 0 ? errors : undefined,
  });
}

/** About the queue or a tenant: no task of the request could have been sent otherwise. */
const NO_TASKS_FAULT: ReadonlySet<ProblemCode> = new Set(['backlog-full', 'queue-draining']);

/** Where each task was on its own and none could be stored, the request as a whole has failed. */
function nothingStored(outcomes: readonly SubmitOutcomeView[]): Problem {
  const problems = outcomes.flatMap(({ problem }) => problem ?? []);
  const errors = problems.flatMap(({ title, detail = title, code, errors: faults }, index) =>
    (faults ?? [{ pointer: '', detail }]).map((fault) => ({
      ...fault,
      pointer: `/tasks/${index}${fault.pointer}`,
      code,
    })),
  );
  const code = (problems[0]?.code ?? 'internal') as ProblemCode;
  // Whether a store that did not answer has stored anything is not known.
  const isUnknown = PROBLEMS[code].status === 503;
  const headers: Record<string, string> = isUnknown ? { 'retry-after': retryAfterSeconds() } : {};
  const { retryAfterMs, capability } = problems[0] ?? {};
  const detail = isUnknown ? undefined : 'Nothing was stored.';
  return new Problem(code, { detail, errors, capability: capability as Capability, retryAfterMs, headers });
}

function view(items: SubmitOutcomeView[]): TaskBatchView {
  const count = (status: SubmitOutcomeView['status']): number =>
    items.filter((item) => item.status === status).length;
  return { items, accepted: count('accepted'), replayed: count('replayed'), refused: count('refused') };
}
