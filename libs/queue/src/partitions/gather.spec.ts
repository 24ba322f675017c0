import type { Lease, LeasedTask } from '../core/ports/consumer.js';
import { gather, type Gathering } from './gather.js';

/** Partitions by how many tasks wait there; -1: it does not answer. */
async function gatherFrom(waiting: Record<string, number>, given: Partial<Gathering>) {
  const asked: string[] = [];
  const answer: Lease | undefined = await gather({
    partitions: Object.keys(waiting),
    heard: new Set(),
    max: 10,
    async ask(partition, max) {
      asked.push(`${partition}:${max}`);
      const there = waiting[partition]!;
      if (there < 0) throw new Error(`${partition} is away`);
      return leaseOf(partition, Math.min(there, max), there > max);
    },
    ...given,
  });
  return { asked, tasks: answer.tasks.map(({ id }) => id), more: answer.more };
}

function leaseOf(partition: string, count: number, more: boolean): Lease {
  return { tasks: Array.from({ length: count }, () => ({ id: partition }) as LeasedTask), more };
}

test('the first partition may give everything, and the others are left alone', async () => {
  expect(await gatherFrom({ a: 2, b: 5 }, { max: 2 })).toEqual({
    asked: ['a:2'],
    tasks: ['a', 'a'],
    more: true,
  });
});

test('the others share what is missing', async () => {
  const { asked, tasks, more } = await gatherFrom({ a: 4, b: 9, c: 1, d: 2 }, {});
  expect(asked).toEqual(['a:10', 'b:2', 'c:2', 'd:2']);
  expect(tasks).toEqual(['a', 'a', 'a', 'a', 'b', 'b', 'c', 'd', 'd']);
  expect(more).toBe(true);
});

test('no more are asked at once than there are tasks to ask for', async () => {
  const { asked, tasks, more } = await gatherFrom({ a: 0, b: 0, c: 1, d: 0, e: 1 }, { max: 2 });
  expect(asked).toEqual(['a:2', 'b:1', 'c:1', 'd:1', 'e:1']);
  expect(tasks).toEqual(['c', 'e']);
  expect(more).toBe(false);
});

test('when all have been asked, nothing more is there', async () => {
  expect(await gatherFrom({ a: 1, b: 1 }, {})).toMatchObject({ tasks: ['a', 'b'], more: false });
});

test('a partition whose token the caller has is asked in any case', async () => {
  const heard = new Set(['c', 'x']);
  const { asked } = await gatherFrom(
    { a: 2, b: 1, c: 1, x: 0 },
    { max: 2, partitions: ['a', 'b', 'c'], heard },
  );
  expect(asked).toEqual(['a:2', 'c:0', 'x:0']);
});

test('a lease for nothing asks all', async () => {
  expect(await gatherFrom({ a: 0, b: 1 }, { max: 0 })).toEqual({
    asked: ['a:0', 'b:0'],
    tasks: [],
    more: true,
  });
  expect(await gatherFrom({ a: 0, b: 0 }, { max: 0 })).toMatchObject({ tasks: [], more: false });
});

test('what the first gave already is not asked for again', async () => {
  const { asked, tasks } = await gatherFrom({ a: 1, b: 1 }, { max: 2, first: leaseOf('a', 1, false) });
  expect({ asked, tasks }).toEqual({ asked: ['b:1'], tasks: ['a', 'b'] });
});

test('a partition that does not answer keeps nobody from what others gave', async () => {
  expect(await gatherFrom({ a: -1, b: 1 }, {})).toMatchObject({ tasks: ['b'], more: true });
  await expect(gatherFrom({ a: -1, b: 0 }, {})).rejects.toThrow('a is away');
});

test('the earliest time counts', async () => {
  const times: Record<string, number | undefined> = { a: undefined, b: 500, c: 300 };
  const ask = async (partition: string) => ({ tasks: [], more: false, nextDueInMs: times[partition] });
  const answer = await gather({ partitions: Object.keys(times), heard: new Set(), max: 1, ask });
  expect(answer).toEqual({ tasks: [], more: false, nextDueInMs: 300 });
});
