/**
 * What a backend may lack, each with what it means. What has no name here every backend has. A request that needs one
 * that is missing is refused with `capability-not-supported` (`requirements.ts` says which does), and changes nothing.
 */
export const CAPABILITIES = {
  tenants: 'Tasks of tenants, who share workers by weight and have settings, pauses and counts of their own.',
  stealing: 'Leases, and waits for work, that serve named tenants first or alone.',
  'ordering-keys': 'Tasks with the same key run one at a time, each to its end, in order.',
  fifo: 'Queues in which one task runs after the other, in order.',
  'atomic-batches': 'Several tasks are stored in one step or, if one is refused, none of them.',
  'idempotency-keys': 'A second identity of a submission, with a fingerprint of what was submitted.',
  'free-keys': 'Keys of tasks that are numbers, have a colon in them, or are words of the backend itself.',
  ttl: 'Tasks that have not started in time expire.',
  timeouts: 'Tasks say how long an attempt may run.',
  'retry-delays': 'Delays before retries that are listed, grow evenly, or are bounded.',
  metadata: 'Tasks have tags and metadata.',
  'priority-policies': 'Queues say which priority goes next: with bounds on waiting, by weight, or none.',
  'concurrency-limits': 'A bound on the tasks of a queue that run at once.',
  'rate-limits': 'A bound on the tasks of a queue that start in a time.',
  'backlog-limits': 'A bound on the tasks of a queue that wait.',
  'hold-back': 'A worker that gives a task back can hold the whole queue back for a while.',
  drain: 'Queues accept nothing new while they are worked off.',
  partitions: 'Queues can be spread over several hash slots.',
  'type-routes': 'Workers announce which queue tasks of a type go to.',
  deadlines:
    'Tasks say when they are due and when their lease ends; the lease that ends first is the first to lapse.',
  'queue-list': 'The names of all queues can be listed.',
  'combined-lists': 'Tasks of all states can be listed together, in the order of acceptance.',
  'stable-pages': 'Pages of a list neither miss nor repeat a task while others come and go.',
  events: 'What happens to tasks can be followed as it happens, and gone on with later.',
  'log-events': 'Whoever follows a task hears of the lines that its worker writes.',
  'cancel-running': 'A running task can be asked to stop.',
  'worker-registry': 'Workers register, are listed, and are told to go quiet or to end.',
  'worker-activity': 'What each worker has leased, and how its leases ended.',
  statistics: 'Counts by priority and type, waiting times, ages, and the last hour by minutes.',
  'error-history': 'Code, details, time and worker of each failed attempt.',
  'return-order': 'Several tasks that come back, released or from lost leases, keep their order.',
  'attempt-history': 'A task that an operator retries keeps its attempts and errors of before.',
  'crash-counts': 'Lost leases are counted apart from failures, and forgiven after a gap.',
  retention: 'Finished tasks are removed by age, number and bytes.',
  'exact-json': 'Results and progress are kept byte for byte, and not only as values.',
  'bounded-steps': 'No step moves more than a small number of tasks.',
  'repeatable-leases': 'A lease that is asked for again with the same request id takes nothing more.',
  'repeatable-settlements': 'A settlement that is repeated is answered as it was the first time.',
  'wake-tokens': 'Work wakes one of those who wait for it, and is told on as long as some is left.',
} as const;

export type Capability = keyof typeof CAPABILITIES;

export const ALL_CAPABILITIES: ReadonlySet<Capability> = new Set(Object.keys(CAPABILITIES) as Capability[]);
