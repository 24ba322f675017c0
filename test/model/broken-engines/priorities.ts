import type { BrokenEngine } from '../broken-engine.js';
import { advance, configure, lease, submit, submitSome } from '../steps.js';

/** Which priority goes first. */
export const BROKEN_PRIORITIES: readonly BrokenEngine[] = [
  {
    about: 'lets low priorities wait beyond their bound',
    breaks: 'if first ~= highest and not levels.context.by_bound then',
    into: 'if false then',
    story: [
      configure({ priority: { policy: 'strict', maxWaitMs: { 1: 1_000, 6: null } } }),
      submit({ key: 'k0', priority: 1 }, { key: 'k1', priority: 6 }),
      advance(1_001),
      lease(),
    ],
  },
  {
    about: 'lets low priorities go by bound without end',
    breaks: 'if first ~= highest and not levels.context.by_bound then',
    into: 'if first ~= highest then',
    story: [
      configure({ priority: { policy: 'strict', maxWaitMs: { 1: 1_000, 6: null } } }),
      submitSome(2, { priority: 1 }),
      submit({ key: 'p0', priority: 6 }),
      advance(1_001),
      lease(),
      lease(),
    ],
  },
  {
    about: 'ignores the weights of priorities',
    breaks: 'local weight = by_priority(levels.policy.weights, default_weights, priority)',
    into: 'local weight = 1',
    story: [
      configure({ priority: { policy: 'weighted', weights: { 6: 3, 1: 1 } } }),
      submitSome(3, { priority: 6 }),
      submit(...['p0', 'p1', 'p2'].map((key) => ({ key, priority: 1 as const }))),
      lease(4),
    ],
  },
];
