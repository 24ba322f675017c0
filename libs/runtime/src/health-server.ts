import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { checkHealth, type HealthCheck, type HealthOptions } from './health.js';
import type { Logger } from './log.js';

export interface HealthServerOptions extends HealthOptions {
  /** Whether the process should be restarted when this fails. Default: none, alive is who answers. */
  readonly live?: readonly HealthCheck[];
  /** Whether the process can do its work now. */
  readonly ready: readonly HealthCheck[];
  /** Served at `/metrics`; without it that path is unknown. */
  readonly metrics?: { render(): Promise<string>; readonly contentType: string };
  /** Gets the errors of answers that could not be produced. */
  readonly log?: Logger;
}

/** `/health/live`, `/health/ready` and `/metrics` for a process that has no HTTP server of its own. */
export interface HealthServer {
  /** Starts listening and gives the port, which matters when 0 was asked for. Rejects when the port is taken. */
  listen(port: number, host: string): Promise<number>;
  /** Stops listening and drops open connections; resolves at once when it never listened. */
  close(): Promise<void>;
}

export function createHealthServer(options: HealthServerOptions): HealthServer {
  const routes = new Map<string, () => Promise<Answer>>([
    ['/health/live', () => healthAnswer(options.live ?? [], options)],
    ['/health/ready', () => healthAnswer(options.ready, options)],
  ]);
  const { metrics } = options;
  if (metrics) {
    routes.set('/metrics', async () => ({
      status: 200,
      type: metrics.contentType,
      body: await metrics.render(),
    }));
  }

  const server = createServer({
    // Probes are tiny and immediate; anything slower is not a probe.
    headersTimeout: 5_000,
    requestTimeout: 10_000,
    keepAliveTimeout: 5_000,
    maxHeaderSize: 8_192,
    connectionsCheckingInterval: 5_000,
  });
  server.maxConnections = 100;
  server.on('request', (request, response) => {
    void answer(routes, request)
      .catch((error: unknown) => {
        options.log?.error({ err: error }, 'health answer failed');
        return problem(500, 'internal-error', 'Internal error');
      })
      .then((result) => send(request, response, result));
  });

  return {
    listen: (port, host) =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, host, () => {
          server.off('error', reject);
          resolve((server.address() as AddressInfo).port);
        });
      }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

async function answer(
  routes: ReadonlyMap<string, () => Promise<Answer>>,
  request: IncomingMessage,
): Promise<Answer> {
  const route = routes.get((request.url ?? '').split('?', 1)[0]!);
  if (!route) return problem(404, 'not-found', 'No such resource');
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return problem(405, 'method-not-allowed', 'Only GET and HEAD are allowed', { allow: 'GET, HEAD' });
  }
  return route();
}

async function healthAnswer(checks: readonly HealthCheck[], options: HealthOptions): Promise<Answer> {
  const report = await checkHealth(checks, options);
  return {
    status: report.status === 'ok' ? 200 : 503,
    type: 'application/json; charset=utf-8',
    body: JSON.stringify(report),
  };
}

function problem(status: number, type: string, title: string, headers?: Answer['headers']): Answer {
  const body = JSON.stringify({ type: `urn:fairlane:problem:${type}`, title, status });
  return { status, type: 'application/problem+json', body, headers };
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  { status, type, body, headers }: Answer,
): void {
  // A body nobody reads would keep the connection busy; a probe has none.
  request.resume();
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    ...headers,
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}
