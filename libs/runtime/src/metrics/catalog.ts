/** One metric. The exported name is `fairlane_` plus its key in the catalog. */
export interface MetricRecord {
  readonly kind: 'counter' | 'gauge' | 'histogram';
  /** Unit of the value, as the reference page prints it. Times are seconds, as Prometheus wants. */
  readonly unit: string;
  /** Names of the labels. Their values must come from small sets: never tenants, task ids or types. */
  readonly labels: readonly string[];
  readonly help: string;
  /** Upper bounds of a histogram's buckets, in `unit`. */
  readonly buckets?: readonly number[];
}

export type MetricsCatalog = Readonly<Record<string, MetricRecord>>;

const requestBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const operationBuckets = [0.0002, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];
const attemptBuckets = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600];

/** Every metric of every process. To add one: a record here and one call where it happens. */
export const metricsCatalog = {
  http_request_duration_seconds: {
    kind: 'histogram',
    unit: 'seconds',
    labels: ['method', 'route', 'status'],
    help: 'Time from the arrival of a request to the end of its answer; `route` is the pattern, not the path.',
    buckets: requestBuckets,
  },
  event_followers: {
    kind: 'gauge',
    unit: 'streams',
    labels: ['stream'],
    help: 'Streams of events that are open; `stream` is task, queue or all.',
  },
  event_followers_cut_total: {
    kind: 'counter',
    unit: 'streams',
    labels: ['stream'],
    help: 'Streams of events that were cut because their readers were too slow.',
  },
  socket_connections: {
    kind: 'gauge',
    unit: 'connections',
    labels: ['role'],
    help: 'WebSockets open at the time of the scrape; `role` is worker where one has registered, else client.',
  },
  socket_messages_total: {
    kind: 'counter',
    unit: 'messages',
    labels: ['message', 'outcome'],
    help: 'Messages of WebSocket clients that were carried out or refused; `outcome` is ok or the code of the problem.',
  },
  socket_closes_total: {
    kind: 'counter',
    unit: 'connections',
    labels: ['code'],
    help: 'WebSockets closed; `code` is that of RFC 6455 or of our own, 1006 where one was cut.',
  },
  queue_operation_duration_seconds: {
    kind: 'histogram',
    unit: 'seconds',
    labels: ['operation', 'outcome'],
    help: 'Time of one operation of the queue engine, Redis included; `outcome` is ok or the kind of error.',
    buckets: operationBuckets,
  },
  worker_attempts_total: {
    kind: 'counter',
    unit: 'attempts',
    labels: ['queue', 'outcome'],
    help: 'Attempts ended by this worker; `outcome` is completed, failed, timeout, cancelled, lease_lost or released.',
  },
  worker_attempt_duration_seconds: {
    kind: 'histogram',
    unit: 'seconds',
    labels: ['queue'],
    help: 'Time from the start of a handler to the settlement of its attempt.',
    buckets: attemptBuckets,
  },
  worker_slots: {
    kind: 'gauge',
    unit: 'slots',
    labels: ['state'],
    help: 'Places for concurrent attempts in this worker; `state` is busy or free.',
  },
  worker_loop_failures_total: {
    kind: 'counter',
    unit: 'failures',
    labels: ['loop'],
    help: 'Steps of a loop of this worker that failed and were tried again; mostly, Redis was away.',
  },
  chore_runs_total: {
    kind: 'counter',
    unit: 'runs',
    labels: ['chore', 'outcome'],
    help: 'Rounds of a background chore; `outcome` is ok or error.',
  },
  chore_items_total: {
    kind: 'counter',
    unit: 'items',
    labels: ['chore'],
    help: 'Tasks and other items a background chore has moved or removed.',
  },
  queue_tasks: {
    kind: 'gauge',
    unit: 'tasks',
    labels: ['queue', 'state'],
    help: 'Tasks of a queue in a state at the time of the scrape.',
  },
  queue_oldest_pending_age_seconds: {
    kind: 'gauge',
    unit: 'seconds',
    labels: ['queue'],
    help: 'How long the oldest task that could run has been waiting; 0 when none is.',
  },
  workers: {
    kind: 'gauge',
    unit: 'workers',
    labels: ['state'],
    help: 'Registered workers at the time of the scrape; `state` is working, or quiet or terminating where an operator asked for it.',
  },
  scrape_errors_total: {
    kind: 'counter',
    unit: 'errors',
    labels: [],
    help: 'Gauges that could not be refreshed for a scrape and kept their former value.',
  },
} as const satisfies MetricsCatalog;

/** The reference of all metrics as markdown. */
export function renderMetricsCatalog(catalog: MetricsCatalog = metricsCatalog): string {
  const rows = Object.entries(catalog).map(([name, { kind, unit, labels, help }]) => {
    const cells = [
      `\`${metricPrefix}${name}\``,
      kind,
      unit,
      labels.map((label) => `\`${label}\``).join(', '),
      help,
    ];
    return `| ${cells.map((text) => text.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  return ['| metric | kind | unit | labels | meaning |', '| --- | --- | --- | --- | --- |', ...rows, ''].join(
    '\n',
  );
}

/** First part of the name of every metric of the catalog. */
export const metricPrefix = 'fairlane_';
