import type { LeaseRequest } from './ports/consumer.js';

/** Of whom alone a lease takes work; `undefined` where of everybody. */
export function tenantsServed({
  tenants = [],
  steal = true,
}: Pick<LeaseRequest, 'tenants' | 'steal'>): string[] | undefined {
  return steal === true ? undefined : [...new Set([...tenants, ...(steal || [])])];
}
