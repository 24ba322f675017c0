import type { Capability } from '../core/capabilities.js';
import { QueueError } from '../core/errors.js';
import { bindQueue } from '../core/operations.js';
import type { Queue } from '../core/ports/queue.js';
import {
  REQUIREMENTS,
  type Requirement,
  requirementsOfSettlement,
  requirementsOfTask,
} from '../core/requirements.js';

/** The same queue, which tells of every capability that something it was asked for, and did, needs. */
export function watchRequirements(inner: Queue, onNeeded: (capability: Capability) => void): Queue {
  const tell = (requirements: readonly Requirement[]) =>
    requirements.forEach(({ capability }) => onNeeded(capability));
  const tellEach = <Item>(
    items: readonly Item[],
    outcomes: readonly object[],
    requirementsOf: (item: Item) => Requirement[],
  ) => items.forEach((item, i) => isUnsupported(outcomes[i]) || tell(requirementsOf(item)));

  const queue = bindQueue(inner);
  const watched = Object.entries(REQUIREMENTS).map(([operation, requirementsOf]) => {
    const call = queue[operation as keyof typeof REQUIREMENTS] as Call;
    const watch: Call = async (...args) => {
      const needed = (requirementsOf as (...args: unknown[]) => Requirement[])(...args);
      return call(...args).then(
        (answer) => (tell(needed), answer),
        (error) => {
          if (!isUnsupported({ error })) tell(needed);
          throw error;
        },
      );
    };
    return [operation, watch];
  });
  const whole = { ...queue, ...(Object.fromEntries(watched) as Partial<Queue>) };

  return {
    ...whole,
    // What is not valid is refused as such, whatever it asks for.
    enqueue: async (tasks, options) => {
      const outcomes = await whole.enqueue(tasks, options);
      tellEach(tasks, outcomes, requirementsOfTask);
      return outcomes;
    },
    settle: async (settlements, next) => {
      const answer = await whole.settle(settlements, next);
      tellEach(settlements, answer.outcomes, requirementsOfSettlement);
      return answer;
    },
    cancel: async (ids) => {
      const outcomes = await whole.cancel(ids);
      for (const outcome of outcomes)
        if (outcome.status === 'done' && outcome.task.state === 'running') onNeeded('cancel-running');
      return outcomes;
    },
  };
}

type Call = (...args: unknown[]) => Promise<unknown>;

function isUnsupported(outcome: object | undefined): boolean {
  const { error } = (outcome ?? {}) as { error?: unknown };
  return error instanceof QueueError && error.kind === 'unsupported';
}
