import type { BrokenEngine } from '../broken-engine.js';
import { complete, configure, fail, lease, submitSome } from '../steps.js';

const KEYED = { orderingKey: 'o' };

/** Ordering keys and FIFO mode. */
export const BROKEN_ORDERING: readonly BrokenEngine[] = [
  {
    about: 'gives up an ordering key when its holder is to be retried',
    breaks: 'if not stays_open then\ncontext.freed[#context.freed + 1] = scope',
    into: 'if true then\ncontext.freed[#context.freed + 1] = scope',
    story: [submitSome(2, KEYED), lease(), fail(1_000), lease()],
  },
  {
    about: 'starts two tasks with one ordering key',
    breaks: "local held = holder and holder ~= key and scope ~= '~'",
    into: 'local held = false',
    story: [submitSome(2, KEYED), lease(2)],
  },
  {
    about: 'reverses the order of those that wait for an ordering key',
    breaks: "redis.call('RPUSH', context.keys.aside .. scope",
    into: "redis.call('LPUSH', context.keys.aside .. scope",
    story: [submitSome(3, KEYED), lease(3), complete(), lease()],
  },
  {
    about: 'loses the task to which an ordering key goes on',
    breaks: "push_head(context, string.sub(waiting, 1, 1), string.match(scope, '^[^~]+'), entry)",
    into: '',
    story: [submitSome(2, KEYED), lease(2), complete()],
  },
  {
    about: 'starts two tasks at once in FIFO mode',
    breaks: 'if holder and head and key_of(head) ~= holder then',
    into: 'if false then',
    story: [configure({ mode: 'fifo' }), submitSome(2), lease(), configure({ mode: 'fifo' }), lease()],
  },
  {
    about: 'lets others go before a task that is retried in FIFO mode',
    breaks:
      "if context.settings.mode == 'fifo' and redis.call('HGET', context.keys.holders, '~') == task.key then",
    into: 'if false then',
    story: [configure({ mode: 'fifo' }), submitSome(2), lease(), fail(0), lease()],
  },
  {
    about: 'changes the mode while tasks wait',
    breaks: '~= before and open_tasks() > 0 then',
    into: '~= before and false then',
    story: [submitSome(1), configure({ mode: 'fifo' })],
  },
];
