import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { metricPrefix, metricsCatalog, type MetricRecord, type MetricsCatalog } from './catalog.js';

/** The metrics of one process. Names and labels are checked by the compiler against the catalog. */
export interface Metrics<C extends MetricsCatalog = typeof metricsCatalog> {
  counter<N extends NamesOf<C, 'counter'>>(name: N): Counter<LabelOf<C, N>>;
  gauge<N extends NamesOf<C, 'gauge'>>(name: N): Gauge<LabelOf<C, N>>;
  histogram<N extends NamesOf<C, 'histogram'>>(name: N): Histogram<LabelOf<C, N>>;
  /**
   * Registers a function that refreshes gauges just before each scrape. One that throws leaves the former values and is
   * counted in `scrape_errors_total`: the rest of the page must survive an unreachable Redis.
   */
  onScrape(refresh: () => void | Promise<void>): void;
  /** The page in Prometheus' text format. */
  render(): Promise<string>;
  /** Value of the page's `content-type` header. */
  readonly contentType: string;
}

export interface MetricsOptions<C extends MetricsCatalog> {
  /** Default: the project's catalog. */
  readonly catalog?: C;
  /** Whether memory, CPU and event loop of the process are measured too. Default: true. */
  readonly processMetrics?: boolean;
}

/** Creates the metrics of a process; each call has its own registry, so tests do not meet. */
export function createMetrics<C extends MetricsCatalog = typeof metricsCatalog>(
  options: MetricsOptions<C> = {},
): Metrics<C> {
  const { catalog = metricsCatalog, processMetrics = true } = options;
  const registry = new Registry();
  // Without our prefix: dashboards for Node processes look for the names everybody uses.
  if (processMetrics) collectDefaultMetrics({ register: registry });
  const created = new Map(
    Object.entries(catalog).map(([name, record]) => [name, create(registry, name, record)]),
  );
  const refreshers: (() => void | Promise<void>)[] = [];

  const get = <M>(type: abstract new (...args: never[]) => M, name: string): M => {
    const metric = created.get(name);
    if (!(metric instanceof type))
      throw new TypeError(`no ${type.name.toLowerCase()} ${name} in the metrics catalog`);
    return metric;
  };
  const countScrapeError = (): void => {
    const errors = created.get('scrape_errors_total');
    if (errors instanceof Counter) errors.inc();
  };

  return {
    counter: (name) => get(Counter<string>, name) as never,
    gauge: (name) => get(Gauge<string>, name) as never,
    histogram: (name) => get(Histogram<string>, name) as never,
    onScrape: (refresh) => void refreshers.push(refresh),
    render: async () => {
      // Wrapped, so that a refresher that throws at once is counted like one that rejects.
      const results = await Promise.allSettled(refreshers.map(async (refresh) => refresh()));
      results.filter(({ status }) => status === 'rejected').forEach(countScrapeError);
      return registry.metrics();
    },
    contentType: registry.contentType,
  };
}

type NamesOf<C extends MetricsCatalog, K extends MetricRecord['kind']> = {
  [N in keyof C]: C[N]['kind'] extends K ? N : never;
}[keyof C] &
  string;

type LabelOf<C extends MetricsCatalog, N extends keyof C> = C[N]['labels'][number];

function create(registry: Registry, key: string, record: MetricRecord): Counter | Gauge | Histogram {
  const common = {
    name: metricPrefix + key,
    help: record.help,
    labelNames: record.labels,
    registers: [registry],
  };
  if (record.kind === 'counter') return new Counter(common);
  if (record.kind === 'gauge') return new Gauge(common);
  return new Histogram({ ...common, ...(record.buckets && { buckets: [...record.buckets] }) });
}
