const KIB = 1024;
const MIB = 1024 * KIB;
const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Every bound of the engine, with its unit in the name and the reason beside it. */
export const LIMITS = {
  /** Longer values belong in an object store, with their address as payload. */
  payloadBytesMax: MIB,
  resultBytesMax: MIB,
  /** Error details beyond this are dropped and said to be: an error must never fail to be recorded. */
  errorBytesMax: 16 * KIB,
  errorMessageCharsMax: 4_000,
  errorCodeCharsMax: 64,
  /** Per task; the oldest go first. */
  errorsKept: 20,
  progressBytesMax: 16 * KIB,
  /** Per task; the oldest go first. */
  logLinesKept: 1_000,
  logLineCharsMax: 2_000,
  tagsMax: 16,
  metadataEntriesMax: 32,
  metadataValueCharsMax: 512,

  /** A batch is stored in one step: 7 to 15 ms of Redis, in which nobody else is served. */
  batchTasksMax: 1_000,
  /** Whoever has much to tell makes calls of so much each, so that not everybody waits for it. */
  sliceTasksMax: 100,
  sliceBytesMax: 2 * MIB,
  /** Operators' calls are made in slices of so many tasks, each 20 to 40 us of Redis: they are not in a hurry, others are. */
  operatedTasksMax: 50,

  leaseTasksMax: 1_000,
  /** Tenants one lease serves: each costs Redis about 30 us, three times what a task costs. */
  leaseServesTenantsMax: 50,
  leaseMsMin: SECOND_MS,
  leaseMsMax: 12 * HOUR_MS,
  leaseMsDefault: 30 * SECOND_MS,
  /** What a lease request took, or that it is used up, is remembered for as long as its lease, and this long at least. */
  requestKeptMsMin: 2 * MINUTE_MS,
  /**
   * Lease requests of a worker in a queue of which it is known what they took. As many may be under way at once, since each
   * must be repeatable if its reply gets lost: two have the store work on one while the other comes or goes.
   */
  requestsKept: 2,
  timeoutMsMax: DAY_MS,
  /** A little over a year: a date further away is a mistake in units more often than a plan. */
  delayMsMax: 400 * DAY_MS,
  retryDelayMsMax: 30 * DAY_MS,
  retryAttemptsMax: 1_000,
  retryDelaysMax: 50,
  /** Lost leases after which a task is taken to be what kills its workers. */
  crashesMax: 3,
  /** Due, expired or lost tasks one call moves: keeps a script short whatever has piled up. */
  choreTasksMax: 50,
  /** Finished tasks one call removes: freeing memory is cheaper than moving a task. */
  pruneTasksMax: 100,
  /** Finished tasks that one member of their index names: to take one out, its member is written anew. */
  finishedTogetherMax: 100,
  /**
   * A queue not reaped for longer than this was out of reach (Redis stopped, or its clock jumped): its workers
   * could not extend either. Several times the reaper's interval, and far below any sensible lease.
   */
  reapGapMs: 5_000,
  /** What a finished task is taken to cost beside payload and result, for retention by bytes. */
  taskOverheadBytes: 300,

  weightMax: 1_000,
  concurrencyMax: 1_000_000,
  backlogMax: 100_000_000,
  rateMax: 1_000_000,
  ratePerMsMax: DAY_MS,
  partitionsMax: 64,
  /** Tenants a lease request may name: each is looked up in every priority. */
  leaseTenantsMax: 100,
  /**
   * Tenants that workers may wait for by name in a queue: strangers name them. Whoever names more is not told of work, and
   * is to look again after `unwatchedLookMs`.
   */
  watchedTenantsMax: 10_000,
  unwatchedLookMs: SECOND_MS,
  /** How long after a lease its tenants' work rings. Whoever waits longer asks in between. */
  watchedMs: 5 * MINUTE_MS,
  /** Named tenants whose last turn is known. The others come first, as do those served longest ago. */
  servedTenantsKept: 1_000,
  /** Workers registered at once: each is remembered until it has been silent for its time. */
  workersMax: 10_000,
  workerTtlMsMin: SECOND_MS,
  workerTtlMsMax: HOUR_MS,
  workerTtlMsDefault: MINUTE_MS,
  /** What it does is looked up in each of them. */
  workerQueuesMax: 256,
  workerTypesMax: 256,
  workerLabelsMax: 32,
  /** Of a label, the host, the version. */
  workerTextCharsMax: 256,
  /** All that a worker says of itself. */
  workerBytesMax: 16 * KIB,
  /** Workers whose totals a queue keeps: any name that a lease request gives has some. */
  workersKept: 10_000,
  /** How long a handler may hold its queue back at once. */
  retryAfterMsMax: HOUR_MS,
  /** Lower priorities wait longer before they are put in front of higher ones. From 1, very_low, to 6, critical. */
  maxWaitMsByPriority: [2 * HOUR_MS, 30 * MINUTE_MS, 5 * MINUTE_MS, 30 * SECOND_MS, 5 * SECOND_MS, SECOND_MS],
  weightByPriority: [1, 2, 4, 8, 16, 32],
  /** Upper ends of the classes in which waiting times are counted; a last class has what is longer. */
  waitBoundsMs: [
    1,
    3,
    10,
    30,
    100,
    300,
    SECOND_MS,
    3 * SECOND_MS,
    10 * SECOND_MS,
    30 * SECOND_MS,
    100 * SECOND_MS,
    5 * MINUTE_MS,
    15 * MINUTE_MS,
    HOUR_MS,
    4 * HOUR_MS,
    DAY_MS,
  ],
  /** Tasks one slice of a purge ends or removes. */
  purgeTasksMax: 100,
  /** What is remembered of a tenant that has nothing open: its rate, its waiting times. */
  idleTenantKeptMs: DAY_MS,
  listLimitMax: 1_000,
  /** One page of a filtered list looks at no more tasks than this, and says where it stopped. */
  listExaminedMax: 500,
  /** Types shown in a queue's counts: the most frequent. */
  typesShown: 100,

  idempotencyMs: DAY_MS,
  /** How far one who follows a queue can fall behind before something is missed, in entries of its stream. */
  eventsKept: 2_000,
  /** What one entry of a stream tells at most, so that a stream is bounded in bytes too: some 10 MB with long names. */
  eventLinesMax: 100,
  /** Queues one process follows for those who follow all: each read of their streams names every one of them. */
  followedQueuesMax: 1_000,
  /** The same where each of them costs a connection: on a cluster, and on BullMQ. */
  followedConnectionsMax: 100,
  /** How often those who follow all queues look for new ones. */
  followedLookMs: 2_000,
  minuteBucketsKeptMs: 2 * HOUR_MS,
  minutesShown: 60,
} as const;

/** What finished tasks a queue keeps. The oldest go first, whichever bound is reached. */
export interface RetentionPolicy {
  ageMsMax: number;
  tasksMax: number;
  bytesMax: number;
}

/** Dead letters are kept longest: somebody has to look at them. */
export const RETENTION = {
  completed: { ageMsMax: DAY_MS, tasksMax: 100_000, bytesMax: 256 * MIB },
  failed: { ageMsMax: 14 * DAY_MS, tasksMax: 100_000, bytesMax: 256 * MIB },
  cancelled: { ageMsMax: DAY_MS, tasksMax: 10_000, bytesMax: 64 * MIB },
  expired: { ageMsMax: DAY_MS, tasksMax: 10_000, bytesMax: 64 * MIB },
} as const satisfies Record<string, RetentionPolicy>;
