import { ALL_CAPABILITIES, CAPABILITIES, type Capability } from '../../core/capabilities.js';
import { QueueError } from '../../core/errors.js';
import type { NewTask } from '../../core/ports/producer.js';
import type { QueueSettings } from '../../core/settings.js';
import { newTask, retryPolicy } from '../builders.js';
import { type Subject, useSubject, type Setup } from './subject.js';

const submit =
  (...tasks: Partial<NewTask>[]) =>
  (subject: Subject) =>
    subject.queue.enqueue(tasks.map((task) => newTask({ queue: subject.name, ...task })));
const configure = (settings: QueueSettings) => (subject: Subject) => subject.configure(settings);

/** A request that needs the capability; of some there is none: they are qualities of what everybody can ask for. */
const REQUESTS: Record<Capability, ((subject: Subject) => Promise<unknown>) | undefined> = {
  'tenants': submit({ tenant: 'acme' }),
  'stealing': (subject) => subject.take(1, { tenants: ['default'] }),
  'ordering-keys': submit({ orderingKey: 'o' }),
  'fifo': configure({ mode: 'fifo' }),
  'atomic-batches': (subject) =>
    subject.queue.enqueue([1, 2].map(() => newTask({ queue: subject.name })), { atomic: true }),
  'idempotency-keys': submit({ idempotency: { key: 'k', fingerprint: 'f' } }),
  'free-keys': submit({ key: '1' }),
  'ttl': submit({ ttlMs: 1_000 }),
  'timeouts': submit({ timeoutMs: 1_000 }),
  'retry-delays': submit({ retry: retryPolicy({ backoff: 'linear' }) }),
  'metadata': submit({ tags: ['t'] }),
  'priority-policies': configure({ priority: { policy: 'off' } }),
  'concurrency-limits': configure({ concurrency: 1 }),
  'rate-limits': configure({ rate: { limit: 1, perMs: 1_000 } }),
  'backlog-limits': configure({ backlog: 1 }),
  'hold-back': (subject) =>
    subject.settle({ id: subject.id('running'), leaseToken: 't', action: 'release', retryAfterMs: 1_000 }),
  'drain': (subject) => subject.queue.drain(subject.name),
  'partitions': configure({ partitions: 2 }),
  'type-routes': (subject) => subject.queue.announceTypes({ 'test.task': subject.name }),
  'queue-list': (subject) => subject.queue.queues(1),
  'combined-lists': (subject) => subject.queue.list({ queue: subject.name, order: 'oldest', limit: 1 }),
  'events': (subject) => subject.queue.snapshot(subject.id('waiting')),
  'cancel-running': (subject) => subject.cancel(subject.id('running')),
  'deadlines': undefined,
  'stable-pages': undefined,
  'log-events': undefined,
  'worker-registry': (subject) => subject.queue.workers({ limit: 1 }),
  'worker-activity': (subject) => subject.queue.leased(subject.name, 'w', 1),
  'statistics': undefined,
  'error-history': undefined,
  'return-order': undefined,
  'attempt-history': undefined,
  'crash-counts': undefined,
  'retention': undefined,
  'exact-json': undefined,
  'bounded-steps': undefined,
  'repeatable-leases': undefined,
  'repeatable-settlements': undefined,
  'wake-tokens': undefined,
}; // prettier-ignore

/** What a backend does that has only these: it says so, and refuses what it lacks by name. */
export function describeCapabilities(
  setup: Setup,
  capabilities: ReadonlySet<Capability>,
  needed: ReadonlySet<Capability>,
): void {
  const subject = useSubject(setup);
  const missing = [...ALL_CAPABILITIES].filter((capability) => !capabilities.has(capability));

  it('are those that it declares', () => {
    expect([...subject.queue.capabilities(subject.name)].sort()).toEqual([...capabilities].sort());
  });

  it('are each needed by some case, so that what is left out is what is missing', () => {
    expect([...ALL_CAPABILITIES].filter((capability) => !needed.has(capability))).toEqual([]);
  });

  const asked = missing.flatMap((capability) => {
    const request = REQUESTS[capability];
    return request ? [[capability, request] as const] : [];
  });
  if (asked.length === 0) return;

  it.each(asked)(
    'without %s, a request that needs it is refused and changes nothing',
    async (name, request) => {
      await subject.start({ key: 'running' });
      await subject.addOne({ key: 'waiting' });
      const before = await everything();
      const refusal = await errorOf(request(subject));
      expect(refusal).toBeInstanceOf(QueueError);
      expect(refusal).toMatchObject({
        code: 'capability-not-supported',
        kind: 'unsupported',
        message: expect.stringContaining(CAPABILITIES[name]),
        data: { capability: name },
      });
      expect(await everything()).toEqual(before);
    },
  );

  async function everything(): Promise<unknown> {
    const [overview] = await subject.queue.overview([subject.name]);
    const tasks = await subject.queue.get([subject.id('running'), subject.id('waiting')]);
    return { states: overview?.states, settings: await subject.queue.settings(subject.name), tasks };
  }
}

/** What was thrown, or the error of the first outcome. */
async function errorOf(answer: Promise<unknown>): Promise<unknown> {
  try {
    const [outcome] = [await answer].flat() as [object | undefined];
    return outcome && 'error' in outcome ? outcome.error : undefined;
  } catch (error) {
    return error;
  }
}
