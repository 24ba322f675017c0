import { malformed } from './envelope.js';
import type { MessageType } from './message-type.js';

/** Every kind of message that clients may send. */
export class MessageTypes {
  readonly #byType: ReadonlyMap<string, MessageType>;

  constructor(readonly all: readonly MessageType[]) {
    this.#byType = new Map(all.map((one) => [one.type, one]));
  }

  /** @throws Problem `malformed-message` where there is none */
  find(type: string): MessageType {
    const found = this.#byType.get(type);
    if (found) return found;
    throw malformed([{ pointer: '/type', detail: `must be one of ${[...this.#byType.keys()].join(', ')}` }]);
  }
}
