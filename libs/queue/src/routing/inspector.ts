import { checkCount } from '../core/checks.js';
import { LIMITS } from '../core/limits.js';
import type { Queue } from '../core/ports/queue.js';
import type { QueueName } from '../core/task.js';
import { allOf, type Router } from './router.js';

type NamePage = Awaited<ReturnType<Queue['queues']>>;

/** One page of the names of all backends together. */
export async function queuesOf(router: Router, limit: number, cursor?: QueueName): Promise<NamePage> {
  checkCount('/limit', limit, 1, LIMITS.listLimitMax);
  const pages = await allOf(router.backends.map((backend) => ownQueues(router, backend, limit, cursor)));
  const names = pages.flatMap(({ items }) => items).sort();
  const items = names.slice(0, limit);
  const more = names.length > limit || pages.some(({ nextCursor }) => nextCursor !== undefined);
  return more ? { items, nextCursor: items.at(-1)! } : { items };
}

/** At least `limit` names where there are as many, without those of queues that are on another backend by now. */
async function ownQueues(
  router: Router,
  backend: Queue,
  limit: number,
  cursor?: QueueName,
): Promise<NamePage> {
  const items: QueueName[] = [];
  let after = cursor;
  do {
    const page = await backend.queues(limit, after);
    items.push(...page.items.filter((queue) => router.of(queue) === backend));
    after = page.nextCursor;
  } while (after !== undefined && items.length < limit);
  return { items, nextCursor: after };
}

/** The slowest write and read of all. @throws QueueError that says which backends failed */
export async function probeAll(router: Router): Promise<{ writeMs: number; readMs: number }> {
  const probes = await router.all((backend) => backend.probe());
  return {
    writeMs: Math.max(...probes.map(({ writeMs }) => writeMs)),
    readMs: Math.max(...probes.map(({ readMs }) => readMs)),
  };
}
