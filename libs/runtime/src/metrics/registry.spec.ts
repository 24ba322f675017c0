import { metricsCatalog, renderMetricsCatalog } from './catalog.js';
import { createMetrics } from './registry.js';

test('every metric of the catalog is exported under the prefix', async () => {
  const page = await createMetrics({ processMetrics: false }).render();
  for (const [name, { kind }] of Object.entries(metricsCatalog))
    expect(page).toContain(`# TYPE fairlane_${name} ${kind}`);
});

test('values recorded by name and labels appear on the page', async () => {
  const metrics = createMetrics({ processMetrics: false });
  metrics.counter('worker_attempts_total').inc({ queue: 'emails', outcome: 'completed' });
  metrics.gauge('worker_slots').set({ state: 'busy' }, 3);
  metrics.histogram('worker_attempt_duration_seconds').observe({ queue: 'emails' }, 0.2);
  const page = await metrics.render();
  expect(page).toContain('fairlane_worker_attempts_total{queue="emails",outcome="completed"} 1');
  expect(page).toContain('fairlane_worker_slots{state="busy"} 3');
  expect(page).toContain('fairlane_worker_attempt_duration_seconds_bucket{le="0.25",queue="emails"} 1');
});

test('a name of another kind is refused, by the compiler and at run time', () => {
  const metrics = createMetrics({ processMetrics: false });
  // @ts-expect-error a gauge is no counter
  expect(() => metrics.counter('worker_slots')).toThrow('no counter worker_slots');
  // @ts-expect-error there is no such metric
  expect(() => metrics.gauge('nonsense')).toThrow('no gauge nonsense');
});

test('a label that was not declared is refused by the compiler and at run time', () => {
  const metrics = createMetrics({ processMetrics: false });
  // @ts-expect-error tenants are no label
  expect(() => metrics.gauge('worker_slots').set({ tenant: 'acme' }, 1)).toThrow();
});

test('gauges are refreshed before each scrape, and a failure is only counted', async () => {
  const metrics = createMetrics({ processMetrics: false });
  let scrapes = 0;
  metrics.onScrape(() => metrics.gauge('queue_tasks').set({ queue: 'q', state: 'pending' }, ++scrapes));
  metrics.onScrape(() => {
    throw new Error('Redis is away');
  });
  await metrics.render();
  const page = await metrics.render();
  expect(page).toContain('fairlane_queue_tasks{queue="q",state="pending"} 2');
  expect(page).toContain('fairlane_scrape_errors_total 2');
});

test('memory and event loop of the process are measured under the usual names', async () => {
  const page = await createMetrics().render();
  expect(page).toContain('nodejs_eventloop_lag_seconds');
  expect(page).toContain('process_resident_memory_bytes');
});

test('no metric is labelled with something unbounded', () => {
  const labels = Object.values(metricsCatalog).flatMap((record) => [...record.labels] as string[]);
  for (const label of ['tenant', 'task', 'id', 'type', 'path', 'worker']) expect(labels).not.toContain(label);
});

test('the reference has one row for each metric', () => {
  expect(renderMetricsCatalog()).toContain(
    '| `fairlane_worker_slots` | gauge | slots | `state` | Places for concurrent attempts in this worker; `state` is busy or free. |',
  );
});
