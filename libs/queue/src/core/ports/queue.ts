import type { Capability } from '../capabilities.js';
import type { QueueName } from '../task.js';
import type { Consumer } from './consumer.js';
import type { Inspector } from './inspector.js';
import type { Maintainer } from './maintainer.js';
import type { Observer } from './observer.js';
import type { Operator } from './operator.js';
import type { Producer } from './producer.js';
import type { Registry } from './registry.js';

/*
 * What a backend does, by role. A process is given the roles it needs and no more: the API a Producer, a
 * Consumer, an Inspector, an Observer, an Operator and a Registry; a worker a Consumer, a Maintainer and a Registry. One
 * conformance suite (`testing/conformance.ts`) holds every implementation to what is promised here.
 *
 * Every mutation may be repeated with the same identity (task id, idempotency key, lease token, request id)
 * and then changes nothing and answers the same. All of them reject with a QueueError of kind `unavailable`
 * when the store does not answer in time; then the caller does not know whether it happened, and repeats it.
 *
 * A backend may lack some of what is promised here, by name (`capabilities.ts`): it refuses, or rejects, with
 * `capability-not-supported` what needs it, and ignores nothing silently.
 */

/** Everything a backend offers. */
export interface Queue extends Producer, Consumer, Inspector, Observer, Operator, Maintainer, Registry {
  /** What the backend of a queue has, known without asking it; without a queue, the one that all others are on. */
  capabilities(queue?: QueueName): ReadonlySet<Capability>;
  /** Connects and checks that the store is fit for use. @throws QueueError `store-unsuitable` or kind `unavailable` */
  open(): Promise<void>;
  /** Ends waits, lets calls under way finish, and disconnects. */
  close(): Promise<void>;
}
