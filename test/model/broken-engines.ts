import { createHash } from 'node:crypto';
import * as scripts from '../../libs/queue/src/redis/scripts.generated.js';
import type { Step } from './step.js';
import {
  advance,
  complete,
  configure,
  configureTenant,
  fail,
  lease,
  LOSE_LEASES,
  settle,
  submit,
  submitSome,
} from './steps.js';

/** An engine with one rule broken, and a story in which it shows. */
export interface BrokenEngine {
  /** What it does wrong. */
  about: string;
  /** In every script that has it, or in the one with this name. */
  script?: string;
  breaks: string;
  into: string;
  story: Step[];
}

/**
 * Lets the adapters of this process run broken scripts. Returns what mends them.
 *
 * @throws Error where no script has what is to be broken, or one has it twice
 */
export function breakEngine({ script, breaks, into }: BrokenEngine): () => void {
  const broken = Object.values(scripts).filter(
    ({ name, text }) => (script ?? name) === name && text.includes(breaks),
  );
  if (broken.length === 0) throw new Error(`No script has this any more: ${breaks}`);
  const whole = broken.map(({ sha1, text }) => ({ sha1, text }));
  for (const each of broken) {
    const [before, after, ...others] = each.text.split(breaks);
    if (others.length > 0) throw new Error(`${each.name} has this twice: ${breaks}`);
    const text = `${before}${into}${after}`;
    Object.assign(each, { text, sha1: createHash('sha1').update(text).digest('hex') });
  }
  return () => broken.forEach((each, index) => Object.assign(each, whole[index]));
}

const ZOMBIE: Step[] = [submitSome(1), lease(), LOSE_LEASES, lease(1, { worker: 1 })];
const LATE: Step[] = [
  { do: 'giveUp', request: { queue: 0, worker: 0, max: 1, leaseMs: 10_000 } },
  { do: 'leaseLate', queue: 0, worker: 0 },
];
const REGISTER: Step = { do: 'register', worker: 0, said: { queues: ['q'] }, ttlMs: 5_000 };
const KEYED = { orderingKey: 'o' };
const RATE = { limit: 1, perMs: 1_000 };

export const BROKEN_ENGINES: readonly BrokenEngine[] = [
  {
    about: 'lets somebody settle whose lease is lost',
    breaks: "if state ~= 'running' or holding ~= token then",
    into: "if state ~= 'running' then",
    story: [...ZOMBIE, complete(1)],
  },
  {
    about: 'lets somebody extend whose lease is lost',
    breaks: "if state[1] == 'running' and state[2] == token then\nredis.call('ZADD'",
    into: "if state[1] == 'running' then\nredis.call('ZADD'",
    story: [...ZOMBIE, { do: 'extend', leases: [1], leaseMs: 10_000 }],
  },
  {
    about: 'does not fence off the holder of a lost lease',
    breaks: "redis.call('HDEL', state_key, 'token')",
    into: '',
    story: [...ZOMBIE, complete(1)],
  },
  {
    about: 'does not know a repeated settlement',
    breaks:
      "if state ~= 'running' and holding == token and outcome or state == 'running' and settled == token then",
    into: 'if false then',
    story: [submitSome(1), lease(), complete(), { do: 'repeat' }],
  },
  {
    about: 'gives a repeated lease request other tasks',
    breaks: "if string.sub(latest, 1, #request + 1) == request .. ' ' then",
    into: 'if false then',
    story: [submitSome(2), { do: 'loseReply' }, lease()],
  },
  {
    about: 'gives tasks to a request that was used up before it arrived',
    breaks: 'elseif taking.most > 0 and not is_used_up(used_up, request) then',
    into: 'elseif taking.most > 0 then',
    story: [submitSome(1), ...LATE],
  },
  {
    about: 'forgets with the next lease which request was used up',
    breaks: 'write_asked(keys, worker, used_up, request',
    into: "write_asked(keys, worker, '', request",
    story: [submitSome(2), LATE[0]!, lease(), LATE[1]!],
  },
  {
    about: 'forgets what a lease took when a request is used up',
    breaks: 'write_asked(keys, worker, use_up(used_up, request), latest, lease_ms)',
    into: "write_asked(keys, worker, use_up(used_up, request), '', lease_ms)",
    story: [
      submitSome(2),
      lease(0),
      lease(),
      { do: 'leaseAgain', queue: 0, worker: 0, max: 0 },
      { do: 'leaseAgain', queue: 0, worker: 0 },
    ],
  },
  {
    about: 'loses the place in the ring of a tenant whose lane fills again',
    breaks: 'enter_rings(context, priority, those.tenants, those.sinces)',
    into: '',
    story: [submitSome(1), lease()],
  },
  {
    about: 'puts released tasks at the tail',
    breaks: 'push_head(context, priority, tenant, entry_of(context, task, since))',
    into: 'local late = {}\nadd_to_lane(context, late, task, since)\npush_lanes(context, late)',
    story: [submitSome(2), lease(), settle({ lease: 0, action: 'release' }), lease()],
  },
  {
    about: 'does not note who has leased a task',
    breaks: "call_each('SADD', keys.leasedBy .. worker, taken)",
    into: '',
    story: [submitSome(1), lease()],
  },
  {
    about: 'takes a task of a worker for leased when it is no more',
    breaks: "call_each('SREM', keys.leasedBy .. worker, ended.keys)",
    into: '',
    story: [submitSome(1), lease(), complete()],
  },
  {
    about: 'does not count a lost lease among its worker’s',
    script: 'reap',
    breaks: 'add(ended.outcomes, outcome, 1)',
    into: '',
    story: [submitSome(1), lease(), LOSE_LEASES],
  },
  {
    about: 'takes a failed attempt for a failed task',
    breaks: "leave(holder, key, 'retrying', 'retried')",
    into: "leave(holder, key, 'retrying', 'failed')",
    story: [submitSome(1), lease(), fail(1_000)],
  },
  {
    about: 'counts a released attempt',
    breaks: 'attempt = attempt - 1',
    into: 'attempt = attempt - 0',
    story: [submitSome(1), lease(), settle({ lease: 0, action: 'release' })],
  },
  {
    about: 'puts lost tasks at the tail',
    breaks: 'push_head(context, priority, tenant, each.entry)',
    into: "redis.call('RPUSH', context.keys.lane .. priority .. ':' .. tenant, each.entry)",
    story: [submitSome(2), lease(), LOSE_LEASES, lease()],
  },
  {
    about: 'does not count a lost lease as a crash',
    breaks: 'local crashes = (state[3] or 0) + 1',
    into: 'local crashes = (state[3] or 0)',
    story: [submitSome(1), lease(), LOSE_LEASES],
  },
  {
    about: 'starts a task once more that crashed too often',
    breaks: 'elseif crashes >= 3 then',
    into: 'elseif crashes > 3 then',
    story: [submitSome(1), lease(), LOSE_LEASES, lease(), LOSE_LEASES, lease(), LOSE_LEASES],
  },
  {
    about: 'takes leases after a gap in reaping',
    breaks: 'elseif deadline - lease_ms < gap_at then',
    into: 'elseif false then',
    story: [submitSome(1), lease(), { do: 'reap', queue: 0 }, advance(60_000), { do: 'reap', queue: 0 }],
  },
  {
    about: 'starts a task once more that failed too often',
    breaks: "elseif failures >= tonumber(string.match(policy, '^%d+')) then",
    into: "elseif failures > tonumber(string.match(policy, '^%d+')) then",
    story: [
      submitSome(1, {
        retry: { maxAttempts: 1, backoff: 'fixed', delayMs: 0, maxDelayMs: 0, jitter: 'none' },
      }),
      lease(),
      settle({ lease: 0, action: 'fail', error: { message: 'It broke.' } }),
    ],
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
    about: 'starts tasks that have expired',
    breaks: 'local overdue = tonumber(task.expires) <= now',
    into: 'local overdue = false',
    story: [submitSome(1, { ttlMs: 1_000 }), advance(1_000), lease()],
  },
  {
    about: 'starts tasks before they are due',
    breaks: `if next_due_at(context) > context.now then
return 0
end
local keys = context.keys
local due = redis.call('ZRANGE', keys.due, '-inf', context.now, 'BYSCORE'`,
    into: `local keys = context.keys
local due = redis.call('ZRANGE', keys.due, '-inf', context.now + 1, 'BYSCORE'`,
    story: [submitSome(1, { delayMs: 1_000 }), advance(999), lease()],
  },
  {
    about: 'starts tasks again that ended while they waited',
    breaks: 'if not current then',
    into: 'if not task then',
    story: [submitSome(3), { do: 'cancel', tasks: [1] }, lease(3)],
  },
  {
    about: 'ignores idempotency keys',
    breaks:
      "local use = idempotency ~= '' and (used[idempotency] or redis.call('GET', keys.idempotency .. idempotency))",
    into: 'local use = false',
    story: ['k0', 'k1'].map((key) => submit({ key, idempotency: { key: 'i', fingerprint: 'p' } })),
  },
  {
    about: 'takes another task with a known id for a repeat',
    breaks: "return known == priority .. body and 'replayed' or 'id-conflict', key, record or ''",
    into: "return 'replayed', key, record or ''",
    story: [submitSome(1, { type: 'one' }), submitSome(1, { type: 'two' })],
  },
  {
    about: 'stores a part of an atomic batch',
    breaks: 'if refused then',
    into: 'if false then',
    story: [
      submitSome(1, { type: 'one' }),
      { do: 'enqueue', tasks: [{ key: 'k1' }, { key: 'k0', type: 'two' }], atomic: true },
    ],
  },
  {
    about: 'starts one task more than the queue may run',
    breaks: "allowed = settings.concurrency - redis.call('ZCARD', context.keys.leases)",
    into: "allowed = settings.concurrency + 1 - redis.call('ZCARD', context.keys.leases)",
    story: [configure({ concurrency: 1 }), submitSome(2), lease(), lease()],
  },
  {
    about: 'starts one task more than a tenant may run',
    breaks: 'allowed = settings.concurrency - changes.known_running - changes.running',
    into: 'allowed = settings.concurrency + 1 - changes.known_running - changes.running',
    story: [configure({ tenants: { concurrency: 1 } }), submitSome(2), lease(2)],
  },
  {
    about: 'never counts down what a tenant runs',
    breaks: 'changes.running = changes.running - 1',
    into: '',
    story: [submitSome(1), lease(), complete()],
  },
  {
    about: 'starts one task more than a rate allows',
    breaks: 'math.floor((burst * interval - ahead) / interval + 1e-9)',
    into: 'math.floor((burst * interval - ahead) / interval + 1)',
    story: [configure({ rate: RATE }), submitSome(2), lease(2)],
  },
  {
    about: 'ignores the burst of a rate',
    breaks: 'rate.burst or math.max(',
    into: 'math.max(',
    story: [configure({ rate: { ...RATE, burst: 2 } }), submitSome(2), lease(2)],
  },
  {
    about: 'does not charge the rate of the queue',
    breaks: 'if rate and count > 0 then',
    into: 'if false then',
    story: [configure({ rate: RATE }), submitSome(2), lease(), lease()],
  },
  {
    about: 'does not charge the rate of a tenant',
    breaks: 'changes.tat = charge_rate(rate, changes.tat or changes.known_tat, context.now, count)',
    into: '',
    story: [configure({ tenants: { rate: RATE } }), submitSome(2), lease(), lease()],
  },
  {
    about: 'never lets a parked tenant go when its time has come',
    breaks: "redis.call('ZRANGE', keys.parked, '-inf', context.now, 'BYSCORE'",
    into: "redis.call('ZRANGE', keys.parked, '-inf', 0, 'BYSCORE'",
    story: [configure({ tenants: { rate: RATE } }), submitSome(2), lease(), advance(1_000), lease()],
  },
  {
    about: 'never lets a parked tenant go when a task of it has ended',
    breaks: "if context.has_parked and redis.call('ZSCORE', context.keys.parked, task.tenant) == 'inf' then",
    into: 'if false then',
    story: [configure({ tenants: { concurrency: 1 } }), submitSome(2), lease(), complete(), lease()],
  },
  {
    about: 'forgets the parked when settings change',
    breaks: "redis.call('RENAME', keys.parked, keys.review)",
    into: '',
    story: [
      configure({ tenants: { concurrency: 1 } }),
      submitSome(2),
      lease(),
      configure({ tenants: { concurrency: 2 } }),
      lease(),
    ],
  },
  {
    about: 'starts tasks of a paused queue',
    breaks: 'if context.paused then',
    into: 'if false then',
    story: [submitSome(1), { do: 'pause', queue: 0 }, lease()],
  },
  {
    about: 'starts tasks of a paused tenant',
    breaks: 'if tenant_is_paused(context, tenant) then',
    into: 'if false then',
    story: [submitSome(1, { tenant: 'a' }), { do: 'pause', queue: 0, tenant: 'a' }, lease()],
  },
  {
    about: 'does not hold a queue back that is overloaded',
    breaks: 'if context.not_before > now then',
    into: 'if false then',
    story: [
      submitSome(1),
      lease(),
      settle({ lease: 0, action: 'release', retryAfterMs: 5_000 }),
      advance(4_999),
      lease(),
    ],
  },
  {
    about: 'accepts tasks while it is drained',
    breaks: 'if draining then',
    into: 'if false then',
    story: [{ do: 'drain', queue: 0 }, submitSome(1)],
  },
  {
    about: 'accepts one task more than may wait',
    breaks: 'if settings.backlog and backlog >= settings.backlog or',
    into: 'if settings.backlog and backlog > settings.backlog or',
    story: [configure({ backlog: 2 }), submitSome(3)],
  },
  {
    about: 'accepts one task more of a tenant than may wait',
    breaks: 'or most and backlogs[tenant] >= most then',
    into: 'or most and backlogs[tenant] > most then',
    story: [configureTenant('a', { backlog: 1 }), submitSome(2, { tenant: 'a' })],
  },
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
  {
    about: 'serves everybody with workers that are some tenants’ own',
    breaks: 'if everybody then\nlevels = take_shared(taking)',
    into: 'if true then\nlevels = take_shared(taking)',
    story: [submitSome(1, { tenant: 'c' }), lease(1, { tenants: ['a'], steal: false })],
  },
  {
    about: 'charges tenants for what their own workers did',
    breaks: 'place(context, places, each.tenant, tonumber(virtual), until_ms)',
    into: 'place(context, places, each.tenant, advance(tonumber(virtual), 1, served), until_ms)',
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
  {
    about: 'forgets that somebody asked a running task to stop',
    breaks: "redis.call('HSET', keys.state .. key, 'cancel', '1')",
    into: '',
    story: [submitSome(1), lease(), { do: 'cancel', tasks: [0] }],
  },
  {
    about: 'remembers the failures of a task that an operator retries',
    breaks: "'finished', 'reason', 'failures', 'crashes'",
    into: "'finished', 'reason', 'crashes'",
    story: [
      submitSome(1),
      lease(),
      settle({ lease: 0, action: 'fail', error: { message: 'It broke.' }, retryable: false }),
      { do: 'retry', tasks: [0] },
    ],
  },
  {
    about: 'keeps a task of changed priority in its old lane as well',
    breaks: 'since = next_since(context.now, since)',
    into: '',
    story: [submitSome(2, { priority: 1 }), { do: 'update', changes: [{ task: 0, priority: 6 }] }],
  },
  {
    about: 'removes tasks that have not ended',
    breaks: "is_open[state] and 'wrong-state' or 'done'",
    into: "'done'",
    story: [submitSome(1), lease(), { do: 'remove', tasks: [0] }],
  },
  {
    about: 'leaves scheduled tasks where all that wait are purged',
    breaks: "local due = state == 'waiting' and left > 0",
    into: 'local due = false',
    story: [submitSome(1, { delayMs: 1_000 }), { do: 'purge', queue: 0, state: 'waiting' }],
  },
  {
    about: 'leaves those that wait for an ordering key where pending tasks are purged',
    breaks: 'purge_aside(string.sub(held, 2))',
    into: "redis.call('ZREM', keys.held, held)",
    story: [submitSome(2, KEYED), lease(2), { do: 'purge', queue: 0, state: 'pending' }],
  },
  {
    about: 'deletes a queue that has tasks',
    breaks: "return 'queue-not-empty'\nend\nend",
    into: 'end\nend',
    script: 'delete',
    story: [submitSome(1), { do: 'deleteQueue', queue: 0 }],
  },
  {
    about: 'removes finished tasks a moment too early',
    breaks: 'return now_ms - ended > age_max',
    into: 'return now_ms - ended >= age_max',
    story: [submitSome(1), lease(), complete(), advance(86_400_000), { do: 'prune', queue: 0 }],
  },
  {
    about: 'does not keep its counts',
    breaks: "redis.call('HINCRBY', keys.counts, field, count)",
    into: '',
    story: [submitSome(1)],
  },
  {
    about: 'wakes nobody',
    breaks: 'if context.wake then',
    into: 'if false then',
    story: [submitSome(1), { do: 'waitForWork', queue: 0 }],
  },
  {
    about: 'does not wake the own workers of a tenant',
    breaks: "if context.has_watchers and redis.call('ZSCORE', context.keys.watched, tenant) then",
    into: 'if false then',
    story: [
      lease(1, { tenants: ['a'], steal: false }),
      submitSome(1, { tenant: 'a' }),
      { do: 'waitForWork', queue: 0, tenants: ['a'] },
    ],
  },
  {
    about: 'takes a worker for present that is silent',
    breaks: 'if deadline and tonumber(deadline) > now then',
    into: 'if deadline then',
    story: [REGISTER, advance(5_000)],
  },
  {
    about: 'takes a sign of life for a beginning',
    breaks: "local registered = known and string.match(known[2], '^%d+') or stamp",
    into: 'local registered = stamp',
    story: [REGISTER, advance(1_000), REGISTER],
  },
  {
    about: 'forgets with a sign of life what is wanted of a worker',
    breaks: "redis.call('ZADD', keys.workerDeadlines, now_ms + ttl_ms, id)",
    into: "redis.call('HDEL', keys.workerCommands, id)\nredis.call('ZADD', keys.workerDeadlines, now_ms + ttl_ms, id)",
    story: [REGISTER, { do: 'tell', worker: 0, command: 'quiet' }, REGISTER],
  },
  {
    about: 'wants of a worker that was gone what it wanted before',
    script: 'register',
    breaks: 'for _, key in ipairs({ keys.workerRecords, keys.workerCommands }) do',
    into: 'for _, key in ipairs({ keys.workerRecords }) do',
    story: [REGISTER, { do: 'tell', worker: 0, command: 'quiet' }, advance(5_000), REGISTER],
  },
  {
    about: 'does not let a worker work again',
    breaks: "if command == '' then\nredis.call('HDEL', keys.workerCommands, id)",
    into: "if command == '' then",
    story: [REGISTER, { do: 'tell', worker: 0, command: 'terminate' }, { do: 'tell', worker: 0 }],
  },
  {
    about: 'lists a worker that has said goodbye',
    script: 'deregister',
    breaks: 'forget_workers(keys, { id })',
    into: '',
    story: [REGISTER, { do: 'deregister', worker: 0 }],
  },
];
