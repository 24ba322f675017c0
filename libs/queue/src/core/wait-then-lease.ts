import { checkLeaseRequest } from './checks.js';
import type { Consumer, Lease, LeaseRequest } from './ports/consumer.js';
import { tenantsServed } from './tenants-served.js';

/** `waitAndLease` in two steps, where a backend has no way to do it in one. */
export async function waitThenLease(
  consumer: Pick<Consumer, 'waitForWork' | 'lease'>,
  request: LeaseRequest,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<Lease> {
  checkLeaseRequest(request);
  await consumer.waitForWork([request.queue], timeoutMs, signal, tenantsServed(request));
  return consumer.lease(request);
}
