import type { QueueError } from '../errors.js';
import type { JsonText, Priority, QueueName, RetryPolicy, Task } from '../task.js';

/** A task as submitted. Names and limits: `names.ts` and `limits.ts`. */
export interface NewTask {
  type: string;
  /** Absent: the queue that workers announced for the type, else `default`. */
  queue?: QueueName;
  /** The part of the id after `~`. Absent: a ULID. Given: the submission is idempotent by it. */
  key?: string;
  payload?: JsonText;
  /** Absent: `default`. */
  tenant?: string;
  /** Absent: 3, normal. */
  priority?: Priority;
  /** Start no earlier than this long after acceptance. Not together with `runAtMs`. */
  delayMs?: number;
  /** Start no earlier than this moment, in ms since the epoch. In the past: at once. */
  runAtMs?: number;
  /** Expire if not started this long after acceptance, or after `delayMs`/`runAtMs` where given. */
  ttlMs?: number;
  timeoutMs?: number;
  retry?: RetryPolicy;
  /**
   * Of the tasks with the same key and tenant one runs at a time, retries, crashes and lost leases included; they start
   * in the order in which they became pending within their priority.
   */
  orderingKey?: string;
  tags?: readonly string[];
  metadata?: Readonly<Record<string, string>>;
  /**
   * A second identity beside `key`, remembered per queue for `LIMITS.idempotencyMs`: repeating it with the
   * same fingerprint replays, with another one is refused.
   */
  idempotency?: { key: string; fingerprint: string };
}

export type EnqueueOutcome =
  /** Stored. `task` is as it was at that moment. */
  | { status: 'accepted'; task: Task }
  /** An earlier submission with the same identity and content stored it. `task` is as it was accepted then. */
  | { status: 'replayed'; task: Task }
  /** Not stored: `id-conflict`, `idempotency-mismatch`, `task-gone`, `backlog-full`, `queue-draining` or `capability-not-supported`. */
  | { status: 'refused'; error: QueueError };

export interface Producer {
  /**
   * Stores up to `LIMITS.batchTasksMax` tasks, all checked first; one outcome per task, in order. Once this resolves with `accepted`, the
   * task is kept until it reaches a terminal state.
   *
   * `atomic`: all of one queue, stored in one step or, if any is refused, none: then those that could have
   * been stored are reported as refused with the first refusal's error. Otherwise each task is on its own.
   *
   * @throws QueueError kind `invalid` (nothing was stored), `full`, `unavailable`
   */
  enqueue(tasks: readonly NewTask[], options?: { atomic?: boolean }): Promise<EnqueueOutcome[]>;

  /** Where a task of this type goes that names no queue: see `announceTypes`. A change may take seconds to be known. */
  queueOf(type: string): Promise<QueueName>;
}
