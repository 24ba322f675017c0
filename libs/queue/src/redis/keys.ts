import type { QueueName } from '../core/task.js';

/**
 * Every key of the engine, once. Scripts name them `keys.<name>`; `npm run generate` turns that into the text
 * below and refuses a name that is not here. `docs/keyspace.md` is generated from the same table.
 *
 * A queue's keys are `<prefix>:{<queue>}:<suffix>`, so they share one hash slot. A suffix that ends in `:` is
 * followed by what `of` says, always as the last part.
 */
export const QUEUE_KEYS = {
  task: {
    suffix: 'task:',
    of: 'key',
    type: 'string',
    holds: 'What was fixed at acceptance: header, newline, payload. Format in record.ts.',
  },
  state: {
    suffix: 'state:',
    of: 'key',
    type: 'string or hash',
    holds:
      'What has happened to a task since. Absent: pending since acceptance. A string while that is one start, or that and its completion: state ␟ token ␟ run ␟ finished ␟ brief. Else a hash of such fields, of the latest start `run` (worker, time, lease length), `attempt`, `token` (the request that took it), `brief` (what its end needs of the record).',
  },
  result: { suffix: 'result:', of: 'key', type: 'string', holds: 'The result of a completed task.' },
  errors: {
    suffix: 'errors:',
    of: 'key',
    type: 'list',
    holds: 'Latest failed or crashed attempts, oldest first.',
  },
  logs: { suffix: 'logs:', of: 'key', type: 'list', holds: 'Latest lines the handler wrote, oldest first.' },
  idempotency: {
    suffix: 'idempotency:',
    of: 'idempotency key',
    type: 'string, expires',
    holds: 'Fingerprint and task key of the submission that used the key.',
  },
  lane: {
    suffix: 'lane:',
    of: 'priority:tenant',
    type: 'list',
    holds:
      'Pending tasks in order, as `<pending since ms>~<key>`, with `~<ordering key>` where there is one. In FIFO mode one lane, of the tenant `~`. An entry whose task has moved on is passed over when reached.',
  },
  ring: {
    suffix: 'ring:',
    of: 'priority',
    type: 'sorted set',
    holds: 'Tenants with a nonempty lane, by virtual time; the lowest is served next.',
  },
  resting: {
    suffix: 'resting:',
    of: 'priority',
    type: 'sorted set',
    holds: 'Virtual finish of tenants that left the ring ahead of the others, until the ring catches up.',
  },
  oldest: {
    suffix: 'oldest:',
    of: 'priority',
    type: 'sorted set',
    holds: 'Tenants with a nonempty lane, by how long its head has been pending.',
  },
  parked: {
    suffix: 'parked',
    type: 'sorted set',
    holds:
      'Tenants that are in no ring although they have lanes, because nothing of theirs may start, by when that may change; infinity: when they are told.',
  },
  review: {
    suffix: 'review',
    type: 'sorted set',
    holds: 'Parked tenants to be looked at again since the settings changed.',
  },
  held: {
    suffix: 'held',
    type: 'sorted set',
    holds:
      'What waits outside the rings, by how long its head has been pending: `<priority>:<tenant>` for a lane of a parked tenant, `~<tenant>~<ordering key>` for the list of a key.',
  },
  holders: {
    suffix: 'holders',
    type: 'hash',
    holds:
      'The task that holds an ordering key, by `<tenant>~<ordering key>`; of a queue in FIFO mode by `~`.',
  },
  aside: {
    suffix: 'aside:',
    of: 'tenant~ordering key',
    type: 'list',
    holds: 'Tasks that were reached while another one held their key, as `<priority>:<lane entry>`.',
  },
  asides: {
    suffix: 'asides:',
    of: 'tenant',
    type: 'set',
    holds: 'Ordering keys of the tenant whose `aside` list is not empty.',
  },
  tenantSettings: {
    suffix: 'tenant-settings',
    type: 'hash',
    holds: 'Settings of the tenants that have some of their own, as JSON.',
  },
  pausedTenants: { suffix: 'paused-tenants', type: 'set', holds: 'Tenants that are paused.' },
  tenants: {
    suffix: 'tenants',
    type: 'sorted set',
    holds:
      'Tenants by the class of their number of open tasks (size-class.ts); with 0 those that have settings or are paused.',
  },
  tenant: {
    suffix: 'tenant:',
    of: 'tenant',
    type: 'hash, expires when idle',
    holds:
      'Of a tenant: `open` tasks, `running`, its rate (`tat`), `starts` as `<latest minute> <starts in it> <in the one before>`, starts by waiting time (`w<class>`).',
  },
  served: {
    suffix: 'served',
    type: 'sorted set',
    holds:
      'Tenants by the number of the turn in which a worker that names them last served them. Those served longest ago are forgotten.',
  },
  watched: {
    suffix: 'watched',
    type: 'sorted set',
    holds:
      'Tenants named by workers that do not serve everybody, by when one last did: their work also rings `wake:<tenant>`.',
  },
  due: { suffix: 'due', type: 'sorted set', holds: 'Scheduled and retrying tasks by due time.' },
  expiry: {
    suffix: 'expiry',
    type: 'sorted set',
    holds: 'Tasks that expire unless they start before their score.',
  },
  leases: { suffix: 'leases', type: 'sorted set', holds: 'Running tasks by lease deadline.' },
  leasedBy: {
    suffix: 'leased:',
    of: 'worker id',
    type: 'set',
    holds: 'Tasks whose lease a worker holds.',
  },
  workers: {
    suffix: 'workers',
    type: 'sorted set',
    holds: 'Workers that have totals, by about when they last ended a lease. The first are forgotten.',
  },
  totals: {
    suffix: 'totals:',
    of: 'worker id',
    type: 'hash',
    holds: 'What became of the tasks that a worker had leased, by outcome.',
  },
  asked: {
    suffix: 'asked:',
    of: 'worker id',
    type: 'string, expires',
    holds:
      "Request ids and tasks of the worker's latest two leases, for a repeat after a lost reply; before them, with `~`, the ids of the latest four requests that are used up.",
  },
  finished: {
    suffix: 'finished:',
    of: 'terminal state',
    type: 'sorted set',
    holds:
      'Tasks in that state by end: each member names, by spaces, up to 100 that ended together. `finished:failed` is the dead-letter queue.',
  },
  journal: {
    suffix: 'journal',
    type: 'list',
    holds: 'All task keys in order of acceptance. The position of its head is `journal` in `meta`.',
  },
  elders: {
    suffix: 'elders',
    type: 'sorted set',
    holds: 'Tasks that outlived their part of the journal, by position.',
  },
  counts: { suffix: 'counts', type: 'hash', holds: 'Number of tasks by `<priority>:<state>`.' },
  types: { suffix: 'types', type: 'sorted set', holds: 'Task types by number of tasks.' },
  typeCounts: {
    suffix: 'type-counts',
    type: 'hash',
    holds: 'Number of tasks by `<state>|<type>`; no zeros.',
  },
  minute: {
    suffix: 'minute:',
    of: 'minutes since the epoch',
    type: 'hash, expires',
    holds: 'What happened in that minute.',
  },
  meta: {
    suffix: 'meta',
    type: 'hash',
    holds:
      '`settings` as JSON; which features were ever used (`has:<feature>`); virtual time per priority (`v<priority>`); of the priorities among each other (`lv`, `l<priority>`) and whether the last start was by bound (`bound`); `paused`, `draining`, `operated` once an operator has said anything, `notBefore`, the rate (`tat`), `turns`; `review` where all parked tenants are to be reviewed; `journal`, `bytes:<terminal state>`, `reapedAt`, `gapAt`, `rewoundAt`.',
  },
  wake: {
    suffix: 'wake',
    type: 'list',
    holds: 'At most one token, while work waits and nobody has been told. Idle workers block on it.',
  },
  wakeOf: {
    suffix: 'wake:',
    of: 'tenant',
    type: 'list',
    holds: 'The same for workers that serve only some tenants.',
  },
  confirmed: {
    suffix: 'confirmed',
    type: 'string, expires',
    holds:
      'Written by durability `strict` before it waits for replicas, so that it waits for all that is before.',
  },
  events: {
    suffix: 'events',
    type: 'stream',
    holds:
      'An entry per script call, or more where it has much to tell: field `t`, a line per event, `<state> <key> <attempt>`, `progress <key> <attempt>` or `logs <key> <attempt> <last line> <lines>`; ` <type> <tenant>` follow where they are not those of the line before.',
  },
} as const satisfies Record<string, KeyDescription>;

/** The keys of the registered workers, in one slot: `<prefix>:{~workers}:<suffix>`. No queue can be called so. */
export const REGISTRY_KEYS = {
  workerIds: {
    suffix: 'ids',
    type: 'sorted set',
    holds: 'Registered workers, all with score 0, so that they page in the order of their ids.',
  },
  workerDeadlines: {
    suffix: 'deadlines',
    type: 'sorted set',
    holds: 'Registered workers by when they are taken to be gone.',
  },
  workerRecords: {
    suffix: 'records',
    type: 'hash',
    holds: 'By worker, `<registered ms> <seen ms> <what it says of itself as JSON>`.',
  },
  workerCommands: {
    suffix: 'commands',
    type: 'hash',
    holds: 'What an operator wants of a worker, if anything.',
  },
} as const satisfies Record<string, KeyDescription>;

/** In place of a queue's name, for what runs on the registry's keys. */
export const REGISTRY = '~workers';

/** The keys outside the queues' slots. */
export const GLOBAL_KEYS = {
  queues: {
    suffix: 'queues',
    type: 'sorted set',
    holds: 'Names of all queues, all with score 0, so that they page in name order.',
  },
  types: { suffix: 'types', type: 'hash', holds: 'Task type → queue, as announced by workers.' },
  version: { suffix: 'version', type: 'string', holds: 'Version of the data format.' },
  chores: {
    suffix: 'chores',
    type: 'string, expires',
    holds: 'The process that does the chores at present.',
  },
  probe: {
    suffix: 'probe:',
    of: 'process',
    type: 'string, expires',
    holds: 'Written and read by readiness checks.',
  },
} as const satisfies Record<string, KeyDescription>;

interface KeyDescription {
  suffix: string;
  /** What follows a suffix that ends in a colon. */
  of?: string;
  type: string;
  holds: string;
}

/** The common part of a queue's keys, and the one key every script declares: it names the slot. */
export function queueRoot(prefix: string, queue: QueueName): string {
  return `${prefix}:{${queue}}`;
}

export function queueKey(prefix: string, queue: QueueName, name: keyof typeof QUEUE_KEYS, rest = ''): string {
  return `${queueRoot(prefix, queue)}:${QUEUE_KEYS[name].suffix}${rest}`;
}

export function globalKey(prefix: string, name: keyof typeof GLOBAL_KEYS, rest = ''): string {
  return `${prefix}:${GLOBAL_KEYS[name].suffix}${rest}`;
}

export function registryKey(prefix: string, name: keyof typeof REGISTRY_KEYS): string {
  return `${queueRoot(prefix, REGISTRY)}:${REGISTRY_KEYS[name].suffix}`;
}
