import { effectiveSettings, type LeasedTask, type LeaseRequest, type Queue } from '@app/queue';
import { listAll } from '@app/queue/testing';

/**
 * What must be true of the tasks that a lease has just started, whoever's turn it was: a second opinion beside the
 * oracle's, read from the backend itself.
 *
 * @throws Error naming every breach
 */
export async function checkAllowed(
  backend: Queue,
  { queue, max, tenants = [], steal = true }: LeaseRequest,
  started: readonly LeasedTask[],
): Promise<void> {
  const breaches: string[] = [];
  const atMost = (what: string, count: number, limit = Infinity) => {
    if (count > limit) breaches.push(`${count} ${what}, not ${limit} at most`);
  };
  const [settings, [overview], running] = await Promise.all([
    backend.settings(queue),
    backend.overview([queue]),
    listAll(backend, { queue, state: 'running' }),
  ]);
  atMost('taken', started.length, max);
  atMost('running', running.length, settings.mode === 'fifo' ? 1 : settings.concurrency);
  if (overview?.paused) breaches.push('the queue is paused');
  const served = steal === true ? undefined : [...tenants, ...(steal || [])];
  for (const tenant of settings.mode === 'fifo' ? [] : new Set(started.map((task) => task.tenant))) {
    const { paused, settings: own } = await backend.tenant(queue, tenant);
    const ofTenant = running.filter((task) => task.tenant === tenant);
    atMost(`running of ${tenant}`, ofTenant.length, effectiveSettings(settings, own).concurrency);
    const keys = ofTenant.flatMap(({ orderingKey }) => orderingKey ?? []);
    if (new Set(keys).size < keys.length) breaches.push(`an ordering key of ${tenant} runs twice`);
    if (paused) breaches.push(`${tenant} is paused`);
    if (served && !served.includes(tenant)) breaches.push(`${tenant} was not asked for`);
  }
  if (breaches.length > 0) throw new Error(`A lease of ${queue}:\n${breaches.join('\n')}`);
}
