import type { BrokenEngine } from '../broken-engine.js';
import { configureTenant, lease, submit, submitSome } from '../steps.js';

/** Whose turn it is among tenants. */
export const BROKEN_FAIRNESS: readonly BrokenEngine[] = [
  {
    about: 'loses the place in the ring of a tenant whose lane fills again',
    breaks: 'enter_rings(context, priority, those.tenants, those.sinces)',
    into: '',
    story: [submitSome(1), lease()],
  },
  {
    about: 'ignores weights',
    breaks: "return tenant == '~' and 1 or read_tenant_settings(context, tenant).weight",
    into: 'return 1',
    story: [
      configureTenant('c', { weight: 3 }),
      submitSome(3, { tenant: 'a' }),
      submit(...['p0', 'p1', 'p2'].map((key) => ({ key, tenant: 'c' }))),
      lease(4),
    ],
  },
  {
    about: 'lets tenants save credit while they have nothing',
    breaks: 'local time = ring_time_of(context, priority)',
    into: 'local time = 0',
    story: [
      submitSome(3, { tenant: 'c' }),
      lease(3),
      submit(...['p0', 'p1', 'p2'].map((key) => ({ key, tenant: 'a' })), { key: 'p3', tenant: 'c' }),
      lease(3),
    ],
  },
  {
    about: 'forgets how far a tenant was ahead that left the ring',
    breaks: 'if finish > ring_time_of(context, priority) then',
    into: 'if false then',
    story: [
      submitSome(1, { tenant: 'a' }),
      lease(),
      submit({ key: 'p0', tenant: 'a' }, { key: 'p1', tenant: 'c' }),
      lease(),
    ],
  },
  {
    about: 'serves everybody with workers that are some tenants’ own',
    breaks: 'if everybody then\nlevels = take_shared(taking)',
    into: 'if true then\nlevels = take_shared(taking)',
    story: [submitSome(1, { tenant: 'c' }), lease(1, { tenants: ['a'], steal: false })],
  },
  {
    about: 'charges tenants for what their own workers did',
    breaks: 'place(context, places, each.tenant, tonumber(virtual), until_ms, emptied)',
    into: 'place(context, places, each.tenant, advance(tonumber(virtual), 1, served), until_ms, emptied)',
    story: [
      submitSome(3, { tenant: 'a' }),
      submit({ key: 'p0', tenant: 'c' }),
      lease(1, { tenants: ['a'] }),
      lease(),
    ],
  },
  {
    about: 'serves the tenants of a worker not by turns',
    breaks: "turn = tonumber(served_in[i] or '0')",
    into: 'turn = 0',
    story: [
      submitSome(2, { tenant: 'a' }),
      submit({ key: 'p0', tenant: 'c' }),
      lease(1, { tenants: ['a', 'c'] }),
      lease(1, { tenants: ['a', 'c'] }),
    ],
  },
];
