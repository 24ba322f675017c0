import { Injectable } from '@nestjs/common';
import type { HandlerContext, RetryPolicy } from '@app/queue';

/** Code that executes one type of task: a class with `@Handler`, listed in `handlers.module.ts`. */
// oxlint-disable-next-line typescript/no-explicit-any -- what a payload is, only its handler knows
export interface TaskHandler<P = any> {
  /** One attempt; see `HandlerDefinition.run` for what returning and throwing mean. */
  run(payload: P, context: HandlerContext<P>): unknown;
}

export interface HandlerOptions {
  /** Which tasks it executes. */
  type: string;
  /** Where they go unless their submission says otherwise. Default: `default`. */
  queue?: string;
  /** How many of them may run at once in one worker. Default: no limit but the worker's own. */
  concurrency?: number;
  /** How long an attempt may run unless its task says otherwise, in ms. Default: the worker's. */
  timeoutMs?: number;
  /** The retry policy of tasks that have none. Default: `DEFAULT_RETRY`. */
  retry?: Partial<RetryPolicy>;
  /**
   * Class of the payload, with class-validator's decorators. The payload must then be a JSON object that fits it and
   * has no other fields. Default: any payload.
   */
  payload?: new () => object;
}

/** Makes a class the handler of a task type. */
export function Handler(options: HandlerOptions): ClassDecorator {
  return (target) => {
    decorated.set(target, options);
    Injectable()(target);
  };
}

/** What a class was decorated with; `undefined` if it was not. Subclasses do not inherit it. */
export function handlerOptions(target: Function): HandlerOptions | undefined {
  return decorated.get(target);
}

/** All decorated classes that were loaded, listed in a module or not. */
export function decoratedClasses(): Function[] {
  return [...decorated.keys()];
}

const decorated = new Map<Function, HandlerOptions>();
