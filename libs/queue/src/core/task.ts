/**
 * The glossary, written once. Code, API, docs and metrics use these words and no synonyms.
 *
 * - **task**: one piece of work: a type, a payload, and how it is to be run. It has one id for life.
 * - **task type**: names the code that executes a task, such as `email.send`.
 * - **queue**: where tasks of one kind of work wait. All of a queue lives in one hash slot of Redis, unless it is split
 *   into partitions, each in a slot of its own.
 * - **tenant**: on whose behalf a task runs. Tenants of one queue and priority share workers fairly.
 * - **priority**: 1 (very_low) to 6 (critical); higher starts first.
 * - **ordering key**: names what must not happen at once: tasks of one tenant that share it run one after the other.
 * - **payload**, **result**: the caller's and the handler's JSON. The engine never looks inside.
 * - **attempt**: one start of a task by a worker.
 * - **failure**: an attempt whose handler failed. Counted against the retry policy.
 * - **crash**: an attempt whose lease was lost. Counted apart: it says something about the worker.
 * - **lease**: the right of one worker to settle one attempt: a holder, a token, and a deadline.
 * - **settle**: to end a lease: complete, fail or release.
 * - **dead-letter queue**: the `failed` tasks of a queue, kept with reason and errors until retried or pruned.
 */

/** JSON, already serialised. Stored and returned byte for byte. */
export type JsonText = string;

/** `queue~key`, in a partition other than the first `queue~partition~key`: finds its hash slot by itself. */
export type TaskId = string;

export type QueueName = string;

/** 1 very_low, 2 low, 3 normal, 4 high, 5 very_high, 6 critical. */
export type Priority = 1 | 2 | 3 | 4 | 5 | 6;

/** States from which a task may still move on by itself. */
export const OPEN_STATES = ['scheduled', 'pending', 'running', 'retrying'] as const;
/** States in which a task stays, until an operator retries it or retention removes it. */
export const TERMINAL_STATES = ['completed', 'failed', 'cancelled', 'expired'] as const;
export const TASK_STATES = [...OPEN_STATES, ...TERMINAL_STATES] as const;

export type TerminalState = (typeof TERMINAL_STATES)[number];
export type TaskState = (typeof TASK_STATES)[number];

export function isTerminal(state: TaskState): state is TerminalState {
  return (TERMINAL_STATES as readonly string[]).includes(state);
}

/** How often and when a task whose handler failed is tried again. See `retry.ts` for the formula. */
export interface RetryPolicy {
  /** Failures after which the task goes to the dead-letter queue. 1 means: never tried again. */
  maxAttempts: number;
  /** How the delay grows with each failure, or the delays themselves in ms, the last one repeating. */
  backoff: 'exponential' | 'linear' | 'fixed' | readonly number[];
  /** Base of the delay. Unused where `backoff` is a list. */
  delayMs: number;
  /** No delay is longer, before jitter. */
  maxDelayMs: number;
  /** `none`: the delay itself; `full`: between 0 and it; `equal`: between half of it and it. */
  jitter: 'none' | 'full' | 'equal';
}

/** What a handler says about why it failed. */
export interface TaskError {
  message: string;
  /** Stable and machine-readable: `timeout`, `no-handler`, or the handler's own. */
  code?: string;
  /** Anything serialisable as JSON. */
  details?: unknown;
}

/** A failed or crashed attempt, as kept in the task's history. */
export interface AttemptError extends TaskError {
  attempt: number;
  /** When, in ms since the epoch on Redis' clock. */
  at: number;
  workerId?: string;
}

/** Why a task is in the dead-letter queue. */
export type FailureReason = 'attempts-exhausted' | 'not-retryable' | 'crashed';

/** A line a handler wrote while it ran. */
export interface LogLine {
  /** When the engine received it, in ms since the epoch on Redis' clock. */
  at: number;
  attempt: number;
  message: string;
}

/** What is fixed when a task is accepted. */
export interface TaskSpec {
  type: string;
  tenant: string;
  priority: Priority;
  payload?: JsonText;
  /** Absent: the worker's default for the type, else the engine's. */
  retry?: RetryPolicy;
  /** How long one attempt may run. Absent: the worker's default. */
  timeoutMs?: number;
  /** Tasks of one tenant with the same key run one at a time, each to its end, in the order in which they became pending. */
  orderingKey?: string;
  tags: readonly string[];
  metadata: Readonly<Record<string, string>>;
}

/** A task as anyone may see it. All times are ms since the epoch on Redis' clock. */
export interface Task extends TaskSpec {
  id: TaskId;
  queue: QueueName;
  state: TaskState;
  createdAt: number;
  /** Only while `scheduled` or `retrying`: when it becomes pending. */
  dueAt?: number;
  /** The task expires if it has not started by then. Of no effect once it has; gone after an operator's retry. */
  expiresAt?: number;
  /** Start of the latest attempt. */
  startedAt?: number;
  finishedAt?: number;
  /** Starts so far, crashed ones included; 0 before the first. Released ones are not counted. */
  attempt: number;
  /** Failed attempts since submission or the latest operator's retry. */
  failures: number;
  /** Lost leases since submission or the latest operator's retry. */
  crashes: number;
  /** The latest errors, oldest first; at most `LIMITS.errorsKept`. */
  errors: readonly AttemptError[];
  progress?: JsonText;
  result?: JsonText;
  /** Only while running. */
  workerId?: string;
  /** Only while running. */
  leaseExpiresAt?: number;
  /** Somebody asked a running task to stop; its worker has not answered yet. */
  cancelRequested: boolean;
  /** Only where `state` is `failed`. */
  failureReason?: FailureReason;
}
