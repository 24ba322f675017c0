import { QueueError, type NewTask, type Producer } from '@app/queue';
import { Problem, problemOf } from '../http/problem.js';
import { check, invalid } from '../http/validation.js';
import { SubmitTaskDto, toNewTask } from './submit-task.dto.js';
import type { SubmitOutcomeView } from './task-batch.dto.js';
import { viewTask } from './task.view.js';

/** One task of a batch as far as the request alone tells: fit to be stored, or refused already. */
export type Candidate = NewTask | Problem;

/** Checks one task of a batch by itself. */
export function toCandidate(plain: unknown, idempotency?: NewTask['idempotency']): Candidate {
  const { value, faults } = check(SubmitTaskDto, plain);
  if (faults.length > 0) return invalid(faults);
  try {
    return toNewTask(value, idempotency);
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
}

/** Stores each on its own; one outcome per candidate, in order. Never rejects for trouble with the store. */
export async function submitEach(
  producer: Producer,
  candidates: readonly Candidate[],
): Promise<SubmitOutcomeView[]> {
  const tasks = candidates.filter((candidate): candidate is NewTask => !(candidate instanceof Problem));
  const stored = await store(producer, tasks);
  return candidates.map((candidate) =>
    candidate instanceof Problem ? refused(candidate) : (stored.shift() ?? refused(new Problem('internal'))),
  );
}

async function store(producer: Producer, tasks: readonly NewTask[]): Promise<SubmitOutcomeView[]> {
  if (tasks.length === 0) return [];
  try {
    const outcomes = await producer.enqueue(tasks);
    return outcomes.map((outcome) =>
      outcome.status === 'refused'
        ? refused(problemOf(outcome.error))
        : { status: outcome.status, task: viewTask(outcome.task, false) },
    );
  } catch (error) {
    if (error instanceof QueueError && error.kind !== 'internal')
      return tasks.map(() => refused(problemOf(error)));
    throw error;
  }
}

function refused(problem: Problem): SubmitOutcomeView {
  return { status: 'refused', problem: problem.body() as SubmitOutcomeView['problem'] };
}
