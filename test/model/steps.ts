import type { QueueSettings, TenantSettings } from '@app/queue';
import type { RequestChoice, SettlementChoice, Step, TaskChoice } from './step.js';

/* Steps in few words, for stories that are written by hand: all in the first queue. */

export function submit(...tasks: TaskChoice[]): Step {
  return { do: 'enqueue', tasks };
}

/** Tasks `k0` up to `k<count - 1>`, alike in everything else. */
export function submitSome(count: number, rest: Partial<TaskChoice> = {}): Step {
  return submit(...Array.from({ length: count }, (_, index) => ({ ...rest, key: `k${index}` })));
}

export function lease(max = 1, rest: Partial<RequestChoice> = {}): Step {
  return { do: 'lease', request: { queue: 0, worker: 0, max, leaseMs: 10_000, ...rest } };
}

export function settle(...settlements: SettlementChoice[]): Step {
  return { do: 'settle', settlements };
}

/** The latest lease is number 0. */
export function complete(number = 0): Step {
  return settle({ lease: number, action: 'complete' });
}

export function fail(retryInMs: number): Step {
  return settle({ lease: 0, action: 'fail', error: { message: 'It broke.' }, retryInMs });
}

export function configure(settings: QueueSettings): Step {
  return { do: 'configure', queue: 0, settings };
}

export function configureTenant(tenant: string, settings: TenantSettings): Step {
  return { do: 'configureTenant', queue: 0, tenant, settings };
}

export function advance(ms: number): Step {
  return { do: 'advance', ms };
}

export const LOSE_LEASES: Step = { do: 'loseLeases', queue: 0 };
