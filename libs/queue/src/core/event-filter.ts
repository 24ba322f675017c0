import { checkName } from './names.js';
import type { EventFilter, QueueEvent } from './ports/observer.js';
import { QueueError } from './errors.js';
import { TASK_STATES } from './task.js';

/** @throws QueueError `invalid-task` with a pointer, `invalid-request` */
export function checkFilter({ states = [], types = [], tenants = [] }: EventFilter): void {
  for (const type of types) checkName('type', type, '/types');
  for (const tenant of tenants) checkName('tenant', tenant, '/tenants');
  if (states.some((state) => !TASK_STATES.includes(state))) {
    throw new QueueError('invalid-request', {
      message: 'states must be states of tasks.',
      pointer: '/states',
    });
  }
}

/** The same text for filters that let the same through. */
export function filterKey({ states, types, tenants }: EventFilter): string {
  return [states, types, tenants].map((list) => (list ? [...new Set(list)].sort().join(' ') : '*')).join('|');
}

/** The very list where all of it passes, so that those who hear the same can tell that it is the same. */
export function filterEvents(events: readonly QueueEvent[], filter: Wanted): readonly QueueEvent[] {
  const passes = ({ kind, type, tenant }: QueueEvent) =>
    (filter.states?.has(kind) ?? true) &&
    (filter.types?.has(type!) ?? true) &&
    (filter.tenants?.has(tenant!) ?? true);
  const some = events.filter(passes);
  return some.length === events.length ? events : some;
}

/** A filter made ready to be asked often. */
export interface Wanted {
  states?: ReadonlySet<string>;
  types?: ReadonlySet<string>;
  tenants?: ReadonlySet<string>;
}

export function wanted({ states, types, tenants }: EventFilter): Wanted {
  return {
    states: states && new Set<string>(states),
    types: types && new Set(types),
    tenants: tenants && new Set(tenants),
  };
}
