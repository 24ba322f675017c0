import type { TaskState } from './task.js';

/** What can happen to a task. */
export type TaskEvent =
  | 'promote'
  | 'lease'
  | 'complete'
  | 'fail-retryable'
  | 'fail-final'
  | 'release'
  | 'lose-lease'
  | 'lose-last-lease'
  | 'cancel'
  | 'expire'
  | 'retry';

export interface Transition {
  from: TaskState;
  event: TaskEvent;
  to: TaskState;
}

/**
 * Every transition there is, besides a task's birth (`scheduled` with a time in the future, else `pending`).
 * What is not here does not happen: the conformance suite tries. `docs/task-lifecycle.md` draws the same.
 *
 * Cancelling a running task only asks: the transition is taken when its worker fails or releases it, or when
 * its lease is lost; a worker that completes it in spite of that wins.
 */
export const TRANSITIONS: readonly Transition[] = [
  { from: 'scheduled', event: 'promote', to: 'pending' },
  { from: 'scheduled', event: 'cancel', to: 'cancelled' },
  { from: 'scheduled', event: 'expire', to: 'expired' },
  { from: 'pending', event: 'lease', to: 'running' },
  { from: 'pending', event: 'cancel', to: 'cancelled' },
  { from: 'pending', event: 'expire', to: 'expired' },
  { from: 'running', event: 'complete', to: 'completed' },
  { from: 'running', event: 'fail-retryable', to: 'retrying' },
  { from: 'running', event: 'fail-final', to: 'failed' },
  { from: 'running', event: 'release', to: 'pending' },
  { from: 'running', event: 'lose-lease', to: 'pending' },
  { from: 'running', event: 'lose-last-lease', to: 'failed' },
  { from: 'running', event: 'cancel', to: 'cancelled' },
  { from: 'retrying', event: 'promote', to: 'pending' },
  { from: 'retrying', event: 'cancel', to: 'cancelled' },
  { from: 'failed', event: 'retry', to: 'pending' },
  { from: 'cancelled', event: 'retry', to: 'pending' },
  { from: 'expired', event: 'retry', to: 'pending' },
];

export function canMove(from: TaskState, to: TaskState): boolean {
  return TRANSITIONS.some((transition) => transition.from === from && transition.to === to);
}
