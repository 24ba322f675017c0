import { pagesOf, type RegisteredWorker, type Registry } from '@app/queue';
import { registryKey } from '../../libs/queue/src/redis/keys.js';
import type { TestQueue } from '../support/redis.js';
import type { Pair } from './pair.js';
import type { RegistryStep } from './step.js';

/** Those of the stories. */
export const WORKERS = ['w0', 'w1', 'w2'] as const;
/** Small, so that lists have several. */
const PAGE = 1;
const KEYS = ['workerIds', 'workerDeadlines', 'workerRecords', 'workerCommands'] as const;

/** The workers of a story as they are registered: they belong to no queue, and outlive a story in Redis. */
export class Registrations {
  #used = false;

  constructor(private readonly pair: Pair) {}

  async take(step: RegistryStep): Promise<void> {
    const { pair } = this;
    const id = WORKERS[step.worker]!;
    this.#used = true;
    switch (step.do) {
      case 'register': {
        const { said, ttlMs } = step;
        await pair.change('register', (each) => each.register({ ...said, id }, ttlMs));
        // A clock that goes back would bring those back who are gone, as far as nobody has looked.
        return pair.forgetting.keepUntil(`worker ${id}`, pair.clock.now() + ttlMs);
      }
      case 'deregister':
        return void (await pair.change('deregister', (each) => each.deregister(id)));
      case 'tell':
        return void (await pair.change('tell', (each) => each.tell(id, step.command)));
    }
  }

  /** What anybody can see of them, at a glance or closely. */
  async observe(closely: boolean): Promise<void> {
    if (!this.#used) return;
    const { pair } = this;
    await pair.ask('workers', atAGlance);
    if (!closely) return;
    await Promise.all([
      pair.ask('pages of workers', (each) => workersOf(each)),
      pair.ask('workers of a queue', (each) => workersOf(each, { queue: 'r' })),
      pair.ask('workers with a label', (each) => workersOf(each, { labels: { gpu: 'a100' } })),
      ...WORKERS.map((id) => pair.ask(id, (each) => each.worker(id))),
    ]);
  }
}

/** What an earlier story left. */
export async function forgetWorkers({ redis, keyPrefix }: TestQueue): Promise<void> {
  await redis.del(KEYS.map((name) => registryKey(keyPrefix, name)));
}

async function workersOf(
  backend: Registry,
  filter: { queue?: string; labels?: Record<string, string> } = {},
): Promise<RegisteredWorker[]> {
  const workers: RegisteredWorker[] = [];
  for await (const page of pagesOf((cursor) => backend.workers({ ...filter, limit: PAGE, cursor })))
    workers.push(...page);
  return workers;
}

/** With the commands of those that are there: of others there may be some, too. */
async function atAGlance(backend: Registry): Promise<unknown[]> {
  const [{ items }, commands] = await Promise.all([
    backend.workers({ limit: WORKERS.length }),
    backend.commands(),
  ]);
  return items.map((worker) => [worker, commands.get(worker.id)]);
}
