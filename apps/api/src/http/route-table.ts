import type { FastifyInstance } from 'fastify';

/** Remembers what was registered with Fastify: for 405 answers, and to hold the OpenAPI document against it. */
export class RouteTable {
  private readonly routes = new Map<string, { pattern: RegExp; methods: Set<string> }>();

  /** Call before any route is registered. */
  constructor(instance: FastifyInstance) {
    instance.addHook('onRoute', ({ url, method }) => {
      const route = this.routes.get(url) ?? { pattern: toPattern(url), methods: new Set<string>() };
      for (const one of [method].flat()) route.methods.add(one);
      this.routes.set(url, route);
    });
  }

  /** Methods of the routes that a request's URL matches, sorted; empty where there is none. */
  methodsOf(requestUrl: string): string[] {
    const path = requestUrl.split('?', 1)[0] ?? '';
    const found = [...this.routes.values()].filter(({ pattern }) => pattern.test(path));
    return [...new Set(found.flatMap(({ methods }) => [...methods]))].sort();
  }

  /** All routes as `GET /v1/tasks/:id`, sorted. */
  list(): string[] {
    return [...this.routes]
      .flatMap(([url, { methods }]) => [...methods].map((method) => `${method} ${url}`))
      .sort();
  }
}

function toPattern(url: string): RegExp {
  const source = url
    .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
    .replace(/:[A-Za-z]+/g, '[^/]+')
    .replace(/\*/g, '.*');
  return new RegExp(`^${source}$`);
}
