import type { AttemptError, Priority, QueueName, RetryPolicy, TaskId } from '../core/task.js';

/** The code that executes one type of task. */
// oxlint-disable-next-line typescript/no-explicit-any -- what a payload is, only its handler knows
export interface HandlerDefinition<P = any> {
  type: string;
  /** Where tasks of the type go unless their submission says otherwise. Default: `default`. */
  queue?: QueueName;
  /**
   * How many tasks of the type may run at once in this process. Default: as many as there are slots. Tasks over
   * it wait in the worker, each holding its lease and a slot, and while one waits nothing more is leased from its
   * queue: give a type with a low limit a queue of its own.
   */
  concurrency?: number;
  /** How long an attempt may run unless the task says otherwise, in ms. Default: `RunnerOptions.timeoutMs`. */
  timeoutMs?: number;
  /** The retry policy of tasks that have none. What is left out comes from `DEFAULT_RETRY`. */
  retry?: Partial<RetryPolicy>;
  /**
   * Checks the payload and makes of it what `run` takes. Default: any payload, as it is; `undefined` where the
   * task has none. @throws InvalidPayload
   */
  parse?(payload: unknown): P | Promise<P>;
  /**
   * Executes one attempt. What it returns is the task's result (`undefined`: none); what it throws makes the
   * attempt fail: a PermanentError for good, a RetryLater until the time it names, anything else by the retry
   * policy. Only a SlowDown is no failure: it holds the queue back. A task can be executed again after a lost lease,
   * so the work should bear that.
   */
  run(context: HandlerContext<P>): unknown;
}

/** What a handler knows about its attempt and can say about it. */
// oxlint-disable-next-line typescript/no-explicit-any -- what a payload is, only its handler knows
export interface HandlerContext<P = any> {
  readonly id: TaskId;
  readonly queue: QueueName;
  readonly type: string;
  readonly tenant: string;
  readonly priority: Priority;
  readonly payload: P;
  /** Which start of the task this is, from 1; starts that crashed count. */
  readonly attempt: number;
  /** What went wrong in earlier attempts, oldest first; at most `LIMITS.errorsKept`. */
  readonly previousErrors: readonly AttemptError[];
  readonly tags: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  /**
   * Aborted when the attempt is to stop, with an AttemptStopped as reason. A handler should pass it on to
   * whatever it waits for, and throw.
   */
  readonly signal: AbortSignal;
  /**
   * Records how far the attempt is, to be seen with the next heartbeat; only the latest value is kept.
   * @throws TypeError if the value is not serialisable or longer than `LIMITS.progressBytesMax`
   */
  readonly progress: (value: unknown) => void;
  /** Adds a line to the task's log, cut at `LIMITS.logLineCharsMax`. Sent with the next heartbeat or the end. */
  readonly log: (message: string) => void;
}
