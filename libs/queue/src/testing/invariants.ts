import { LIMITS } from '../core/limits.js';
import { pagesOf } from '../core/pages.js';
import type { QueueOverview, StateCounts, TenantOverview } from '../core/ports/inspector.js';
import type { Queue } from '../core/ports/queue.js';
import { PRIORITIES } from '../core/priority.js';
import {
  isTerminal,
  OPEN_STATES,
  TASK_STATES,
  type QueueName,
  type Task,
  type TaskState,
} from '../core/task.js';

/**
 * What is true of a queue at any moment, checked by reading all of it: the counts are a recount of the list,
 * each state's list holds what is in that state and nothing else, what must not run at once does not, and every task is
 * consistent in itself.
 *
 * @throws Error naming every breach
 */
export async function checkInvariants(queue: Queue, name: QueueName): Promise<void> {
  const breaches: string[] = [];
  const has = queue.capabilities(name);
  const tasks = await listAll(queue, { queue: name });
  const [overview] = await queue.overview([name]);
  if (overview) compareCounts(overview, tasks, has.has('statistics'), breaches);
  else if (tasks.length > 0) breaches.push(`${tasks.length} tasks, but no overview`);

  const seen = new Set(tasks.map(({ id }) => id));
  if (seen.size !== tasks.length) breaches.push('the list names a task twice');
  for (const state of TASK_STATES) {
    const listed = (await listAll(queue, { queue: name, state })).map(({ id }) => id).sort();
    const expected = tasks
      .filter((task) => task.state === state)
      .map(({ id }) => id)
      .sort();
    if (listed.join() !== expected.join()) {
      breaches.push(
        `the list of ${state} has ${listed.length} tasks, not the ${expected.length} in that state`,
      );
    }
  }
  if (has.has('tenants')) compareTenants(await listTenants(queue, name), tasks, breaches);
  if (has.has('worker-activity')) breaches.push(...(await faultsOfWorkers(queue, name, tasks)));
  const { mode } = await queue.settings(name);
  for (const [scope, count] of startedByScope(tasks, mode === 'fifo')) {
    if (count > 1) breaches.push(`${count} tasks of ${scope} have started and not ended`);
  }
  for (const task of tasks) {
    breaches.push(...faultsOf(task, has.has('deadlines')).map((fault) => `${task.id} ${fault}`));
  }
  if (breaches.length > 0) throw new Error(`Queue ${name}:\n${breaches.join('\n')}`);
}

/** Every page of a list; of the lists of all states, one after the other, where they cannot be had together. */
export async function listAll(
  queue: Queue,
  query: { queue: QueueName } & Partial<Parameters<Queue['list']>[0]>,
): Promise<Task[]> {
  const items: Task[] = [];
  if (query.state === undefined && !queue.capabilities(query.queue).has('combined-lists')) {
    for (const state of TASK_STATES) items.push(...(await listAll(queue, { ...query, state })));
    return items;
  }
  const page = (cursor?: string) => queue.list({ order: 'oldest', limit: 1_000, ...query, cursor });
  for await (const tasks of pagesOf(page)) items.push(...tasks);
  return items;
}

/** Every page of a queue's tenants. */
async function listTenants(queue: Queue, name: QueueName): Promise<TenantOverview[]> {
  const items: TenantOverview[] = [];
  const page = (cursor?: string) => queue.tenants(name, LIMITS.listLimitMax, cursor);
  for await (const tenants of pagesOf(page)) items.push(...tenants);
  return items;
}

function compareTenants(
  tenants: readonly TenantOverview[],
  tasks: readonly Task[],
  breaches: string[],
): void {
  const expected = countBy(tasks.filter(waits), ({ tenant }) => tenant);
  const running = countBy(
    tasks.filter(({ state }) => state === 'running'),
    ({ tenant }) => tenant,
  );
  for (const { tenant, ...counts } of tenants) {
    for (const [what, recounted] of [
      ['backlog', expected],
      ['running', running],
    ] as const) {
      const count = recounted.get(tenant) ?? 0;
      if (counts[what] !== count)
        breaches.push(`tenant ${tenant} ${what} counts ${counts[what]}, recounted ${count}`);
    }
  }
  const listed = new Set(tenants.map(({ tenant }) => tenant));
  for (const tenant of [...expected.keys(), ...running.keys()]) {
    if (!listed.has(tenant)) breaches.push(`tenant ${tenant} has open tasks and is not listed`);
  }
}

/** What workers are said to have leased is what runs for them. */
async function faultsOfWorkers(queue: Queue, name: QueueName, tasks: readonly Task[]): Promise<string[]> {
  const known = tasks.flatMap(({ workerId, errors }) => [workerId, ...errors.map((error) => error.workerId)]);
  const workers = [...new Set(known.filter((id) => id !== undefined))].slice(0, LIMITS.listLimitMax);
  const activities = await queue.activity(name, workers);
  const faults: string[] = [];
  for (const [index, worker] of workers.entries()) {
    const running = tasks.filter(({ workerId }) => workerId === worker).map(({ id }) => id);
    const leased = await queue.leased(name, worker, LIMITS.listLimitMax);
    const right = leased.filter(({ id }) => running.includes(id)).length;
    if (right !== leased.length || right !== Math.min(running.length, LIMITS.listLimitMax)) {
      faults.push(
        `${worker} has leased ${leased.length} tasks, ${right} of the ${running.length} that run for it`,
      );
    }
    const count = activities[index]?.running;
    if (count !== running.length) faults.push(`${worker} runs ${count} tasks, recounted ${running.length}`);
  }
  return faults;
}

function waits({ state }: Task): boolean {
  return state !== 'running' && (OPEN_STATES as readonly string[]).includes(state);
}

/** Of each set of tasks of which one may run at a time, those that hold it: they run, or wait to be tried again. */
function startedByScope(tasks: readonly Task[], fifo: boolean): Map<string, number> {
  const holding = tasks.filter(({ state }) => state === 'running' || state === 'retrying');
  if (fifo) return countBy(holding, () => 'the queue');
  return countBy(
    holding.filter(({ orderingKey }) => orderingKey !== undefined),
    ({ tenant, orderingKey }) => `ordering key ${orderingKey} of ${tenant}`,
  );
}

function countBy(tasks: readonly Task[], groupOf: (task: Task) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const task of tasks) counts.set(groupOf(task), (counts.get(groupOf(task)) ?? 0) + 1);
  return counts;
}

function compareCounts(
  overview: QueueOverview,
  tasks: readonly Task[],
  statistics: boolean,
  breaches: string[],
): void {
  const compare = (what: string, counts: StateCounts | undefined, counted: readonly Task[]) => {
    for (const state of TASK_STATES) {
      // Without statistics what waits for its time is counted as one.
      const delayed = !statistics && (state === 'scheduled' || state === 'retrying');
      const states: readonly TaskState[] = delayed ? ['scheduled', 'retrying'] : [state];
      const expected = counted.filter((task) => states.includes(task.state)).length;
      const actual = states.reduce((sum, each) => sum + (counts?.[each] ?? NaN), 0);
      if (actual !== expected) breaches.push(`${what} ${state} counts ${actual}, recounted ${expected}`);
    }
  };
  compare('states', overview.states, tasks);
  const backlog = tasks.filter(waits).length;
  if (overview.backlog !== backlog) breaches.push(`backlog counts ${overview.backlog}, recounted ${backlog}`);
  if (!statistics) return;
  if (overview.waits.length !== LIMITS.waitBoundsMs.length + 1) breaches.push('waits has not all classes');
  for (const priority of Object.values(PRIORITIES)) {
    compare(
      `priority ${priority}`,
      overview.priorities[priority],
      tasks.filter((task) => task.priority === priority),
    );
  }
  const types = new Set(tasks.map(({ type }) => type));
  const shown = Object.keys(overview.types);
  if (types.size <= 100 && shown.length !== types.size) {
    breaches.push(`${shown.length} types shown, ${types.size} have tasks`);
  }
  for (const type of shown) {
    compare(
      `type ${type}`,
      overview.types[type],
      tasks.filter((task) => task.type === type),
    );
  }
}

function faultsOf(task: Task, deadlines: boolean): string[] {
  const faults: string[] = [];
  const only = (field: keyof Task, allowed: boolean, always = true) => {
    const present = task[field] !== undefined;
    if (present !== allowed && (present || always))
      faults.push(`is ${task.state} and has ${present ? 'a' : 'no'} ${field}`);
  };
  const running = task.state === 'running';
  only('workerId', running);
  only('leaseExpiresAt', running, deadlines);
  only('finishedAt', isTerminal(task.state));
  only('failureReason', task.state === 'failed');
  only('dueAt', task.state === 'scheduled' || task.state === 'retrying', deadlines);
  if (task.cancelRequested && !running) faults.push(`is ${task.state} with cancelRequested`);
  if (running && task.attempt < 1) faults.push('runs without an attempt');
  if (task.failures > task.attempt && task.failures > 0) faults.push('has failed more often than it started');
  return faults;
}
