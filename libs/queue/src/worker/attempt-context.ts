import type { AttemptError, Priority, QueueName, TaskId } from '../core/task.js';
import type { Attempt } from './attempt.js';
import type { HandlerContext } from './handler.js';

/**
 * What a handler is given. What nearly none looks at is made when asked for: of a literal with a getter and two functions V8
 * makes a dictionary, and those were 2 KB of garbage for each attempt, of 8.6 in all.
 */
export class AttemptContext implements HandlerContext {
  readonly id: TaskId;
  readonly queue: QueueName;
  readonly type: string;
  readonly tenant: string;
  readonly priority: Priority;
  readonly attempt: number;
  readonly previousErrors: readonly AttemptError[];
  readonly tags: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly #attempt: Attempt;

  constructor(
    attempt: Attempt,
    readonly payload: unknown,
  ) {
    const { task } = attempt;
    this.id = task.id;
    this.queue = task.queue;
    this.type = task.type;
    this.tenant = task.tenant;
    this.priority = task.priority;
    this.attempt = task.attempt;
    this.previousErrors = task.errors;
    this.tags = task.tags;
    this.metadata = task.metadata;
    this.#attempt = attempt;
  }

  get signal(): AbortSignal {
    return this.#attempt.signal;
  }

  /** A function of its own, since handlers take it out of the context. */
  get progress(): (value: unknown) => void {
    return (value) => this.#attempt.setProgress(value);
  }

  /** A function of its own, too. */
  get log(): (message: string) => void {
    return (message) => this.#attempt.addLog(message);
  }
}
