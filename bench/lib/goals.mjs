import { ratios, spread } from './figures.mjs';

/**
 * What must hold, and what we are after. `of` and `by` name a figure and a system; a bound is on the median, over the
 * rounds, of the one divided by the other in the same round, or of the value itself where there is no `by`.
 */
const GOALS = [
  {
    title: 'Engine: enqueue singly, 64 in flight',
    of: 'enqueue-singly/fairlane',
    floor: [atLeast(3, 'enqueue-singly/bullmq')],
    after: [atLeast(1.3, 'enqueue-singly/bee-queue')],
  },
  {
    title: 'Engine: enqueue in batches of 100',
    of: 'enqueue-batches/fairlane',
    floor: [atLeast(4, 'enqueue-batches/bullmq')],
    after: [atLeast(1.3, 'enqueue-batches/bee-queue')],
  },
  {
    title: 'Engine: drain, one worker process',
    of: 'drain-one/fairlane',
    floor: [atLeast(2.5, 'drain-one/bullmq')],
    after: [atLeast(1, 'drain-one/beanstalkd')],
  },
  {
    title: 'Engine: drain, two worker processes',
    of: 'drain-two/fairlane',
    floor: [atLeast(1, 'drain-one/fairlane')],
    after: [atLeast(1.5, 'drain-one/fairlane')],
  },
  {
    title: 'Engine: enqueue to handler at rest, median',
    of: 'latency-median/fairlane',
    floor: [atMost(1, 'latency-median/bullmq')],
    after: [atMost(1.3, 'latency-median/bee-queue')],
  },
  {
    title: 'Engine: enqueue to handler at rest, p99',
    of: 'latency-p99/fairlane',
    floor: [atMost(1, 'latency-p99/bullmq')],
    after: [atMost(1.3, 'latency-p99/bee-queue')],
  },
  {
    title: 'Redis memory per waiting task',
    of: 'memory/fairlane',
    floor: [atMost(0.6, 'memory/bullmq')],
    after: [atMost(0.5, 'memory/bullmq')],
  },
  {
    title: 'HTTP: POST a task, validated, stored, 64 connections',
    of: 'http-post/fairlane',
    floor: [atLeast(1.8, 'http-post/nest-bullmq'), atLeast(1, 'http-post/fastify-bullmq')],
    after: [atLeast(0.7, 'http-post/fastify')],
  },
  {
    title: 'HTTP: POST batches of 100',
    of: 'http-post-batches/fairlane',
    floor: [atLeast(2, 'http-post-batches/nest-bullmq')],
    after: [atLeast(4, 'http-post-batches/nest-bullmq')],
  },
  {
    title: 'HTTP: GET a task',
    of: 'http-get/fairlane',
    floor: [atLeast(1, 'http-get/nest-bullmq')],
    after: [atLeast(0.6, 'http-get/fastify')],
  },
  {
    title: 'HTTP: lease and complete by a pull worker, batches of 50',
    of: 'http-pull/fairlane',
    floor: [atLeast(20_000)],
    after: [atLeast(60_000)],
  },
  {
    title: 'HTTP: POST with Prefer: wait of a no-op, 32 connections',
    of: 'http-wait/fairlane',
    floor: [atLeast(5_000)],
    after: [atLeast(15_000)],
  },
  ...[
    'enqueue-singly',
    'enqueue-batches',
    'drain',
    'drain-two',
    'http-post',
    'http-post-batches',
    'http-get',
    'http-pull',
    'http-wait',
    // By how much it costs more: the rate of the empty queue by that of the full one.
  ].map((figure) => beforeFull(figure, `size-${figure}/empty`, `size-${figure}/full`)),
  beforeFull('latency, median', 'size-latency/full', 'size-latency/empty'),
  ...['enqueue-singly', 'enqueue-batches', 'drain-one', 'http-post'].flatMap((figure) => [
    {
      title: `Append-only file, fsync every second: ${figure}`,
      of: `fsync-${figure}/everysec`,
      floor: [atLeast(0.8, `fsync-${figure}/off`)],
      after: [atLeast(0.9, `fsync-${figure}/off`)],
    },
    {
      title: `Append-only file, fsync on every write: ${figure}`,
      of: `fsync-${figure}/always`,
      floor: [],
      after: [atLeast(0.6, `fsync-${figure}/off`)],
    },
  ]),
  {
    title: 'At rest, 4 workers and 200 parked polls: commands of Redis',
    of: 'idle-commands/fairlane',
    floor: [atMost(20)],
    after: [],
  },
  {
    title: 'At rest, 4 workers and 200 parked polls: CPU of Redis and API',
    of: 'idle-cpu/fairlane',
    floor: [atMost(2)],
    after: [],
  },
  { title: 'Start: API ready to serve', of: 'start/fairlane', floor: [atMost(2)], after: [atMost(0.7)] },
];

function beforeFull(figure, of, by) {
  return {
    title: `1,000,000 tasks of 100,000 tenants waiting: ${figure}`,
    of,
    floor: [atMost(1.5, by)],
    after: [atMost(1.2, by)],
  };
}

function atLeast(bound, by) {
  return { bound, by, more: true };
}

function atMost(bound, by) {
  return { bound, by, more: false };
}

/**
 * The goals of which everything has been measured, with what was measured and whether it holds.
 *
 * @param {object} figures @param {number} [share] of a bound that is enough
 */
export function judge(figures, share = 1) {
  return GOALS.flatMap(({ title, of, floor, after }) => {
    const bounds = [
      ...floor.map((bound) => ({ kind: 'floor', ...bound })),
      ...after.map((bound) => ({ kind: 'after', ...bound })),
    ].flatMap((bound) => judgeBound(figures, of, { ...bound, bound: eased(bound, share) }));
    return bounds.length === 0 ? [] : [{ title, bounds }];
  });
}

function judgeBound(figures, of, { kind, bound, by, more }) {
  const numbers = valuesOf(figures, of);
  const others = by === undefined ? numbers.map(() => 1) : valuesOf(figures, by);
  if (numbers.length === 0 || others.length === 0) return [];
  const measured = spread(ratios(numbers, others));
  const unit = by === undefined ? figures[of.split('/')[0]].unit : `× ${nameOf(of, by)}`;
  return [
    {
      kind,
      says: `${more ? 'at least' : 'at most'} ${bound.toLocaleString('en')} ${unit}`,
      measured,
      holds: more ? measured.median >= bound : measured.median <= bound,
    },
  ];
}

function eased({ bound, more }, share) {
  return more ? bound * share : bound / share;
}

function valuesOf(figures, name) {
  const [figure, system] = name.split('/');
  return figures[figure]?.values[system] ?? [];
}

/** The system, or the figure where that is the other one. */
function nameOf(of, by) {
  const [[figure], [otherFigure, system]] = [of.split('/'), by.split('/')];
  return figure === otherFigure ? system : otherFigure;
}
