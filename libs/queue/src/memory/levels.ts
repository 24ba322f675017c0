import { LIMITS } from '../core/limits.js';
import type { PriorityPolicy } from '../core/settings.js';
import type { Priority } from '../core/task.js';
import type { Lanes } from './lanes.js';

/** The priority whose turn it is. */
export interface Level {
  priority: number;
  /** It goes before higher ones because a task of it has waited beyond its bound. */
  byBound: boolean;
}

/** Which priority goes next. */
export class Levels {
  /** The last start went to a priority by its bound: the next one does not. */
  #wasByBound = false;
  /** Start-time fair queueing among the priorities, for the weighted policy. */
  readonly #tags = new Map<number, number>();
  #time = 0;

  next(lanes: Lanes, policy: PriorityPolicy, now: number): Level | undefined {
    const [highest, ...lower] = lanes.levels;
    if (highest === undefined) return undefined;
    if (policy.policy === 'weighted') {
      const priority = lower.reduce(
        (best, each) => (this.#tag(each) < this.#tag(best) ? each : best),
        highest,
      );
      return { priority, byBound: false };
    }
    const overdue = (priority: number) => now - lanes.oldestIn(priority) - boundOf(policy, priority);
    const longest = lower.reduce((best, each) => (overdue(each) > overdue(best) ? each : best), highest);
    const byBound = !this.#wasByBound && longest !== highest && overdue(longest) > 0;
    return { priority: byBound ? longest : highest, byBound };
  }

  /** A task of the level has started. */
  started({ priority, byBound }: Level, policy: PriorityPolicy): void {
    if (policy.policy !== 'weighted') {
      this.#wasByBound = byBound;
      return;
    }
    this.#time = this.#tag(priority);
    this.#tags.set(priority, this.#time + 1 / weightOf(policy, priority));
  }

  #tag(priority: number): number {
    return Math.max(this.#tags.get(priority) ?? 0, this.#time);
  }
}

/** How long a task may wait before its priority is put in front. */
function boundOf(policy: PriorityPolicy, priority: number): number {
  const given = policy.policy === 'strict' ? policy.maxWaitMs?.[priority as Priority] : undefined;
  return given === null ? Infinity : (given ?? LIMITS.maxWaitMsByPriority[priority - 1] ?? Infinity);
}

function weightOf(policy: PriorityPolicy & { policy: 'weighted' }, priority: number): number {
  return policy.weights?.[priority as Priority] ?? LIMITS.weightByPriority[priority - 1] ?? 1;
}
