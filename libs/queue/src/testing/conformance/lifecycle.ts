import { canMove } from '../../core/lifecycle.js';
import { TASK_STATES, type TaskId, type TaskState } from '../../core/task.js';
import { needs } from './needs.js';
import { LEASE_MS, useSubject, WORKER, type Setup } from './subject.js';

/** What can be tried on a task, and where it leads from each state; absent: nowhere. */
const OUTCOMES: Record<string, Partial<Record<TaskState, TaskState>>> = {
  'leasing': { pending: 'running' },
  'completing': { running: 'completed' },
  'failing with a retry': { running: 'retrying' },
  'failing for good': { running: 'failed' },
  'releasing': { running: 'pending' },
  'extending': {},
  'cancelling': { scheduled: 'cancelled', pending: 'cancelled', retrying: 'cancelled' },
  'retrying': { failed: 'pending', cancelled: 'pending', expired: 'pending' },
  'losing the lease': { running: 'pending', scheduled: 'scheduled', retrying: 'retrying' },
  'promoting when due': { scheduled: 'pending', retrying: 'pending' },
  'waiting too long': { scheduled: 'expired', pending: 'expired', retrying: 'pending' },
  'submitting again': {},
  'leasing again with the same request': {},
  'pruning': {},
}; // prettier-ignore

/** A task that something is tried on, with the latest token it had, and as it was submitted. */
interface Tried {
  id: TaskId;
  leaseToken: string;
  given: object;
}

export function describeLifecycle(setup: Setup): void {
  const subject = useSubject(setup);
  const requestId = 'request-1';
  const submission = { key: 'k', delayMs: 100 };
  const mortal = { ...submission, ttlMs: 1_000 };

  /** A task in a state. */
  async function bringInto(state: TaskState, given: object = submission): Promise<Tried> {
    const { id } = await subject.addOne(given);
    let leaseToken = 'never-leased';
    if (state === 'expired') {
      subject.clock.advance(5_000);
      await subject.queue.promote(subject.name);
    } else if (state !== 'scheduled') {
      subject.clock.advance(100);
      await subject.queue.promote(subject.name);
      if (state === 'cancelled') await subject.cancel(id);
      else if (state !== 'pending') {
        const leased = await subject.takeOne({ requestId });
        leaseToken = leased.leaseToken;
        if (state === 'completed') await subject.complete(leased);
        if (state === 'failed') await subject.fail(leased, { retryable: false });
        if (state === 'retrying') await subject.fail(leased, { retryInMs: 100 });
      }
    }
    expect(await subject.stateOf(id)).toBe(state);
    return { id, leaseToken, given };
  }

  const attempts: Record<string, (task: Tried) => Promise<unknown>> = {
    leasing: () => subject.take(9, { workerId: 'worker-2' }),
    completing: ({ id, leaseToken }) => subject.settle({ id, leaseToken, action: 'complete' }),
    'failing with a retry': ({ id, leaseToken }) =>
      subject.settle({ id, leaseToken, action: 'fail', error: { message: 'm' }, retryInMs: 100 }),
    'failing for good': ({ id, leaseToken }) =>
      subject.settle({ id, leaseToken, action: 'fail', error: { message: 'm' }, retryable: false }),
    releasing: ({ id, leaseToken }) => subject.settle({ id, leaseToken, action: 'release' }),
    extending: (task) => subject.queue.extend([task], LEASE_MS),
    cancelling: ({ id }) => subject.cancel(id),
    retrying: ({ id }) => subject.retry(id),
    'losing the lease': () => subject.loseLeases(),
    'promoting when due': () => {
      subject.clock.advance(100);
      return subject.queue.promote(subject.name);
    },
    'waiting too long': () => {
      subject.clock.advance(5_000);
      return subject.queue.promote(subject.name);
    },
    'submitting again': ({ given }) =>
      subject.queue.enqueue([{ type: 'test.task', payload: '{"n":1}', queue: subject.name, ...given }]),
    'leasing again with the same request': async () => {
      // A repeat takes nothing new: only where it is one. Elsewhere it is an ordinary request for nothing.
      await subject.queue.lease({
        queue: subject.name,
        workerId: WORKER,
        max: 0,
        leaseMs: LEASE_MS,
        requestId,
      });
    },
    pruning: () => subject.queue.prune(subject.name),
  };

  it('has an attempt for every operation', () => {
    expect(Object.keys(attempts).sort()).toEqual(Object.keys(OUTCOMES).sort());
  });

  const operations = Object.keys(OUTCOMES).filter((operation) => operation !== 'waiting too long');
  const states = TASK_STATES.filter((state) => state !== 'expired');
  const cases = operations.flatMap((operation) => states.map((state) => ({ operation, state })));
  const asksToStop = ({ operation, state }: (typeof cases)[number]) =>
    operation === 'cancelling' && state === 'running';

  it.each(cases.filter((each) => !asksToStop(each)))('$operation a $state task', async (each) => {
    await tryOn(await bringInto(each.state), each.state, each.operation);
  });

  needs('cancel-running').it('cancelling a task that runs', async () => {
    await tryOn(await bringInto('running'), 'running', 'cancelling');
  });

  needs('ttl').it.each(operations)('an expired task is left alone or retried by %s', async (operation) => {
    await tryOn(await bringInto('expired', mortal), 'expired', operation);
  });

  needs('ttl').it.each(TASK_STATES)('waiting too long as a %s task', async (state) => {
    await tryOn(await bringInto(state, mortal), state, 'waiting too long');
  });

  async function tryOn(task: Tried, state: TaskState, operation: string) {
    await attempts[operation]?.(task);
    const to = await subject.stateOf(task.id);
    expect(to).toBe(OUTCOMES[operation]?.[state] ?? state);
    if (to !== state) expect(canMove(state, to)).toBe(true);
  }

  needs('attempt-history').it(
    'visits every state on the way of one task through all its troubles',
    async () => {
      const { id } = await subject.addOne({ delayMs: 10 });
      const visited: TaskState[] = [await subject.stateOf(id)];
      const visit = async () => visited.push(await subject.stateOf(id));
      subject.clock.advance(10);
      await subject.queue.promote(subject.name);
      await visit();
      const first = await subject.takeOne();
      await visit();
      await subject.fail(first, { retryInMs: 5 });
      await visit();
      subject.clock.advance(5);
      const second = await subject.takeOne();
      await subject.fail(second, { retryable: false });
      await visit();
      await subject.retry(id);
      await subject.cancel(id);
      await visit();
      await subject.retry(id);
      await subject.complete(await subject.takeOne());
      await visit();
      expect(visited).toEqual([
        'scheduled',
        'pending',
        'running',
        'retrying',
        'failed',
        'cancelled',
        'completed',
      ]);
      expect(await subject.get(id)).toMatchObject({ attempt: 3, failures: 0, errors: [{}, {}] });
    },
  );
}
