import { checkName, checkQueueName, DEFAULT_QUEUE } from '../core/names.js';
import { checkRetry } from '../core/new-task.js';
import { LIMITS } from '../core/limits.js';
import { completeRetry } from '../core/retry.js';
import type { QueueName } from '../core/task.js';
import type { HandlerDefinition } from './handler.js';

/** The handlers of a process, by task type. */
export class HandlerTable {
  readonly #byType = new Map<string, HandlerDefinition>();

  /** @throws Error when a type has two handlers, or a definition is out of bounds, naming the type */
  constructor(definitions: Iterable<HandlerDefinition>) {
    for (const definition of definitions) this.#add(definition);
  }

  get(type: string): HandlerDefinition | undefined {
    return this.#byType.get(type);
  }

  types(): string[] {
    return [...this.#byType.keys()];
  }

  /** The queues that handlers name, each once, in order of appearance. */
  queues(): QueueName[] {
    return [...new Set(Object.values(this.routes()))];
  }

  /** Which queue each type goes to, for `Consumer.announceTypes`. */
  routes(): Record<string, QueueName> {
    return Object.fromEntries(
      [...this.#byType.values()].map(({ type, queue }) => [type, queue ?? DEFAULT_QUEUE]),
    );
  }

  #add(definition: HandlerDefinition): void {
    const { type, queue, concurrency, timeoutMs, retry } = definition;
    try {
      checkName('type', type, '/type');
      if (queue !== undefined) checkQueueName(queue, '/queue');
      if (retry) checkRetry(completeRetry(retry));
      checkPositive('concurrency', concurrency, Number.MAX_SAFE_INTEGER);
      checkPositive('timeoutMs', timeoutMs, LIMITS.timeoutMsMax);
    } catch (error) {
      throw new Error(`The handler of type "${type}" is not valid: ${(error as Error).message}`, {
        cause: error,
      });
    }
    if (this.#byType.has(type)) throw new Error(`The task type "${type}" has two handlers.`);
    this.#byType.set(type, definition);
  }
}

function checkPositive(name: string, value: number | undefined, max: number): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= 1 && value <= max)) return;
  throw new Error(`${name} must be an integer from 1 to ${max}.`);
}
