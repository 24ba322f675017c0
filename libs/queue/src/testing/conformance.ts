import { describeChores } from './conformance/chores.js';
import { describeData } from './conformance/data.js';
import { describeEnqueue } from './conformance/enqueue.js';
import { describeExtend } from './conformance/extend.js';
import { describeFairness } from './conformance/fairness.js';
import { describeLease } from './conformance/lease.js';
import { describeLifecycle } from './conformance/lifecycle.js';
import { describeList } from './conformance/list.js';
import { describeOperate } from './conformance/operate.js';
import { describeOverview } from './conformance/overview.js';
import { describeReap } from './conformance/reap.js';
import { describeRetention } from './conformance/retention.js';
import { describeRetries } from './conformance/retries.js';
import { describeSettle } from './conformance/settle.js';
import type { Setup } from './conformance/subject.js';
import { describeWaiting } from './conformance/waiting.js';

export type { QueueUnderTest, Setup } from './conformance/subject.js';

/** Holds a backend to every promise of `core/ports.ts`. Defines Jest blocks; call it from a spec. */
export function describeQueue(name: string, setup: Setup): void {
  describe(name, () => {
    describe('enqueue', () => describeEnqueue(setup));
    describe('what goes in comes out', () => describeData(setup));
    describe('lease', () => describeLease(setup));
    describe('fairness', () => describeFairness(setup));
    describe('settle', () => describeSettle(setup));
    describe('failure and retry', () => describeRetries(setup));
    describe('extend', () => describeExtend(setup));
    describe('reap', () => describeReap(setup));
    describe('promote and elections', () => describeChores(setup));
    describe('retention', () => describeRetention(setup));
    describe('cancel and retry by an operator', () => describeOperate(setup));
    describe('lifecycle', () => describeLifecycle(setup));
    describe('list', () => describeList(setup));
    describe('overview and queues', () => describeOverview(setup));
    describe('waiting', () => describeWaiting(setup));
  });
}
