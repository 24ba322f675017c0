import type { ProblemCode } from '../http/problem.js';
import type { Handler } from './connection.js';

/** A kind of message that clients send: how it is checked, carried out, answered and documented. */
export interface MessageType<Body extends object = object> extends Handler<Body> {
  readonly summary: string;
  readonly description: string;
  readonly answer: MessageKind;
  /** A body, and what it may be answered with. */
  readonly example: { body: object; answer: object };
  /** What it can be refused with beside what any message can. */
  readonly problems: readonly ProblemCode[];
}

/** A kind of message that the API sends. */
export interface MessageKind {
  readonly type: string;
  /** What its `body` is; absent where there is nothing to say. */
  readonly view?: new () => object;
  readonly description: string;
}
