import { ALL_CAPABILITIES, type Capability } from './core/capabilities.js';
import { notSupported, type QueueError } from './core/errors.js';
import { checkNewTask } from './core/new-task.js';
import { bindQueue } from './core/operations.js';
import type { Lease } from './core/ports/consumer.js';
import type { Queue } from './core/ports/queue.js';
import {
  REQUIREMENTS,
  type Requirement,
  requirementsOfSettlement,
  requirementsOfTask,
} from './core/requirements.js';

/**
 * A queue that has only these capabilities and refuses at its ports what needs others: the one place where a backend that
 * lacks some turns requests down. What no request asks for (`statistics`, say) is only declared, and `cancel-running`,
 * which depends on the state of a task, the backend refuses by itself.
 */
export function restrictQueue(inner: Queue, capabilities: ReadonlySet<Capability>): Queue {
  if (capabilities.size === ALL_CAPABILITIES.size) return inner;

  const refusalOf = (requirements: readonly Requirement[]): QueueError | undefined => {
    const missing = requirements.find(({ capability }) => !capabilities.has(capability));
    return missing && notSupported(missing.capability, missing.pointer);
  };
  const queue = bindQueue(inner);
  const guarded = Object.entries(REQUIREMENTS).map(([operation, requirementsOf]) => {
    const call = queue[operation as keyof typeof REQUIREMENTS] as Call;
    const guard: Call = async (...args) => {
      const error = refusalOf((requirementsOf as (...args: unknown[]) => Requirement[])(...args));
      if (error) throw error;
      return call(...args);
    };
    return [operation, guard];
  });
  const whole = { ...queue, ...(Object.fromEntries(guarded) as Partial<Queue>) };

  return {
    ...whole,
    capabilities: () => capabilities,
    enqueue: async (tasks, options) => {
      const refusals = tasks.map((task) => refusalOf(requirementsOfTask(task)));
      const first = refusals.find((error) => error !== undefined);
      if (!first) return whole.enqueue(tasks, options);
      tasks.forEach(checkNewTask);
      if (options?.atomic) return refusals.map((error) => ({ status: 'refused', error: error ?? first }));
      return callForOthers(tasks, refusals, (others) => whole.enqueue(others, options));
    },
    settle: async (settlements, next) => {
      const refusals = settlements.map((settlement) => refusalOf(requirementsOfSettlement(settlement)));
      let lease: Lease | undefined;
      const outcomes = await callForOthers(settlements, refusals, async (others) => {
        const answer = await whole.settle(others, next);
        lease = answer.lease;
        return answer.outcomes;
      });
      return lease ? { outcomes, lease } : { outcomes };
    },
  };
}

type Call = (...args: unknown[]) => Promise<unknown>;

/** Calls for those items that are not refused already; the outcomes of all, in order. */
async function callForOthers<Item, Outcome>(
  items: readonly Item[],
  refusals: readonly (QueueError | undefined)[],
  call: (others: readonly Item[]) => Promise<Outcome[]>,
): Promise<(Outcome | { status: 'refused'; error: QueueError })[]> {
  const outcomes = await call(items.filter((_, index) => !refusals[index]));
  return refusals.map((error) => (error ? { status: 'refused', error } : outcomes.shift()!));
}
