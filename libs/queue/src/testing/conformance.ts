import { ALL_CAPABILITIES, type Capability } from '../core/capabilities.js';
import { describeActivity } from './conformance/activity.js';
import { describeBacklog } from './conformance/backlog.js';
import { describeCapabilities } from './conformance/capabilities.js';
import { describeChores } from './conformance/chores.js';
import { describeConcurrency } from './conformance/concurrency.js';
import { describeData } from './conformance/data.js';
import { describeEnqueue } from './conformance/enqueue.js';
import { describeExtend } from './conformance/extend.js';
import { describeFairness } from './conformance/fairness.js';
import { describeFifo } from './conformance/fifo.js';
import { describeFollow } from './conformance/follow.js';
import { describeHoldingBack } from './conformance/holding-back.js';
import { describeLease } from './conformance/lease.js';
import { describeLifecycle } from './conformance/lifecycle.js';
import { describeList } from './conformance/list.js';
import { defineFor, needs } from './conformance/needs.js';
import { describeOperate } from './conformance/operate.js';
import { describeOrdering } from './conformance/ordering.js';
import { describeOverview } from './conformance/overview.js';
import { describePause } from './conformance/pause.js';
import { describePriorities } from './conformance/priorities.js';
import { describePurge } from './conformance/purge.js';
import { describeRates } from './conformance/rates.js';
import { describeReap } from './conformance/reap.js';
import { describeRegistry } from './conformance/registry.js';
import { describeRetention } from './conformance/retention.js';
import { describeRetries } from './conformance/retries.js';
import { describeSettings } from './conformance/settings.js';
import { describeSettle } from './conformance/settle.js';
import { describeStealing } from './conformance/stealing.js';
import type { Setup } from './conformance/subject.js';
import { describeTenants } from './conformance/tenants.js';
import { describeUpdate } from './conformance/update.js';
import { describeWaiting } from './conformance/waiting.js';

export type { QueueUnderTest, Setup } from './conformance/subject.js';

/**
 * Holds a backend to every promise of `core/ports`, and to what it declares: what needs a capability that it lacks is
 * skipped, and such a request must be refused. Defines Jest blocks; call it from a spec.
 */
export function describeQueue(
  name: string,
  setup: Setup,
  capabilities: ReadonlySet<Capability> = ALL_CAPABILITIES,
): void {
  describe(name, () => {
    const needed = defineFor(capabilities, () => describeOperations(setup));
    describe('capabilities', () => describeCapabilities(setup, capabilities, needed));
  });
}

function describeOperations(setup: Setup): void {
  describe('enqueue', () => describeEnqueue(setup));
  describe('what goes in comes out', () => describeData(setup));
  describe('lease', () => describeLease(setup));
  needs('tenants').describe('fairness', () => describeFairness(setup));
  needs('priority-policies').describe('priorities', () => describePriorities(setup));
  needs('stealing').describe('tenants that come first', () => describeStealing(setup));
  needs('ordering-keys').describe('ordering keys', () => describeOrdering(setup));
  needs('fifo').describe('FIFO', () => describeFifo(setup));
  describe('settings', () => describeSettings(setup));
  needs('concurrency-limits').describe('concurrency', () => describeConcurrency(setup));
  needs('rate-limits').describe('rate', () => describeRates(setup));
  needs('backlog-limits').describe('backlog', () => describeBacklog(setup));
  describe('holding back', () => describeHoldingBack(setup));
  describe('pause', () => describePause(setup));
  describe('settle', () => describeSettle(setup));
  describe('failure and retry', () => describeRetries(setup));
  describe('extend', () => describeExtend(setup));
  describe('reap', () => describeReap(setup));
  describe('promote and elections', () => describeChores(setup));
  describe('retention', () => describeRetention(setup));
  describe('cancel and retry by an operator', () => describeOperate(setup));
  describe('update by an operator', () => describeUpdate(setup));
  describe('removal', () => describePurge(setup));
  describe('lifecycle', () => describeLifecycle(setup));
  describe('list', () => describeList(setup));
  describe('overview and queues', () => describeOverview(setup));
  needs('tenants').describe('tenants', () => describeTenants(setup));
  needs('worker-registry').describe('registered workers', () => describeRegistry(setup));
  needs('worker-activity').describe('activity of workers', () => describeActivity(setup));
  describe('waiting', () => describeWaiting(setup));
  needs('events').describe('following', () => describeFollow(setup));
}
