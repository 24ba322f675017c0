import type { BrokenEngine } from '../broken-engine.js';
import { advance, fail, lease, submit, submitSome } from '../steps.js';

/** What those are told who follow. */
export const BROKEN_EVENTS: readonly BrokenEngine[] = [
  {
    about: 'tells of no event',
    breaks: 'write_lines(keys, context.lines)',
    into: '',
    story: [submitSome(1), lease()],
  },
  {
    about: 'tells of every attempt as of the first',
    script: 'lease',
    breaks: "add_line(context, task, state .. ' ' .. task_keys[i] .. ' ' .. attempt)",
    into: "add_line(context, task, state .. ' ' .. task_keys[i] .. ' 1')",
    story: [submitSome(1), lease(), fail(0), advance(1), lease()],
  },
  {
    about: 'tells of a task the tenant of the one before',
    script: 'enqueue',
    breaks:
      'if count % 100 == 0 or task.type ~= context.line_type or task.tenant ~= context.line_tenant then',
    into: 'if count % 100 == 0 then',
    story: [submit({ key: 'k0', tenant: 'a' }, { key: 'k1', tenant: 'B' })],
  },
];
