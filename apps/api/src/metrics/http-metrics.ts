import type { Metrics } from '@app/runtime';
import type { FastifyInstance } from 'fastify';

export type ApiMetrics = Metrics;

/** Injects the `ApiMetrics` of the process. */
export const METRICS = Symbol('Metrics');

/** Times every request, by its route's pattern: a path would make a series of each task. */
export function measureRequests(instance: FastifyInstance, metrics: ApiMetrics): void {
  const durations = metrics.histogram('http_request_duration_seconds');
  instance.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'none';
    durations.observe(
      { method: request.method, route, status: String(reply.statusCode) },
      reply.elapsedTime / 1_000,
    );
    done();
  });
}
