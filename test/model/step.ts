import type {
  NewTask,
  Priority,
  PurgeRequest,
  QueueSettings,
  Settlement,
  TenantSettings,
  WorkerCommand,
  WorkerRegistration,
} from '@app/queue';

/**
 * One step of a story, as plain data, so that a failing story can be kept as it was printed. What names a lease,
 * a task or an edge is a number counted into those there are: a shorter story still makes sense.
 */
export type Step =
  | RegistryStep
  | { do: 'enqueue'; tasks: TaskChoice[]; atomic?: boolean }
  /** `waits`: sent along with a wait for the queue's token, which ends at once where there is none. */
  | { do: 'lease'; request: RequestChoice; waits?: true }
  /** The worker's latest request once more, or the one before, as after a lost reply, or only to know what it took. */
  | { do: 'leaseAgain'; queue: QueueChoice; worker: number; before?: true; max?: 0 }
  /** A request is used up before it arrives. */
  | { do: 'giveUp'; request: RequestChoice }
  /** The latest of these arrives. */
  | { do: 'leaseLate'; queue: QueueChoice; worker: number }
  | { do: 'settle'; settlements: SettlementChoice[]; next?: RequestChoice }
  | { do: 'extend'; leases: number[]; leaseMs: number; progress?: string; logs?: string[] }
  | { do: 'cancel' | 'retry' | 'remove'; tasks: number[] }
  | { do: 'update'; changes: ChangeChoice[] }
  | { do: 'promote' | 'reap' | 'prune'; queue: QueueChoice }
  | { do: 'configure'; queue: QueueChoice; settings: QueueSettings }
  | { do: 'configureTenant'; queue: QueueChoice; tenant: string; settings: TenantSettings }
  /** Of one tenant, or of the queue. */
  | { do: 'pause' | 'resume'; queue: QueueChoice; tenant?: string }
  | { do: 'drain' | 'deleteQueue'; queue: QueueChoice }
  | { do: 'purge'; queue: QueueChoice; state: PurgeRequest['state']; tenant?: string }
  | { do: 'elect'; holder: number; ttlMs: number }
  /** From then on submissions may leave their queue to their type. */
  | { do: 'announce' }
  | { do: 'advance'; ms: number }
  /** To where something happens, or to just before or after it. */
  | { do: 'advanceTo'; edge: Edge; ms: number }
  /** Reaps often enough for the workers, not the clock, to be to blame. */
  | { do: 'loseLeases'; queue: QueueChoice }
  /** The latest mutation exactly as it was, as after a lost reply. */
  | { do: 'repeat' }
  /** The next mutation's first reply is never seen: its caller asks once more. */
  | { do: 'loseReply' }
  | { do: 'flushScripts' }
  | { do: 'switchClient' }
  /** For work of anyone, or of these tenants. */
  | { do: 'waitForWork'; queue: QueueChoice; tenants?: string[] }
  | { do: 'waitForEnd'; task: number };

/** What a worker says of itself, and what an operator wants of it. */
export type RegistryStep =
  | { do: 'register'; worker: number; said: Omit<WorkerRegistration, 'id'>; ttlMs: number }
  | { do: 'deregister'; worker: number }
  | { do: 'tell'; worker: number; command?: WorkerCommand };

/** A task falls due, a lease ends, or the time has come that the latest lease was told. */
export type Edge = 'due' | 'deadline' | 'next';

/** The first or the second queue of a story. */
export type QueueChoice = 0 | 1;

/** A submission; `key` is the second part of its id. `routed`: its queue is left to its type. */
export type TaskChoice = Partial<Omit<NewTask, 'queue' | 'runAtMs'>> & {
  key: string;
  queue?: QueueChoice;
  routed?: boolean;
  /** `runAtMs`, from now. */
  runInMs?: number;
};

export interface ChangeChoice {
  task: number;
  priority?: Priority;
  /** `runAtMs`, from now. */
  runInMs?: number;
}

export interface RequestChoice {
  queue: QueueChoice;
  worker: number;
  max: number;
  leaseMs: number;
  tenants?: string[];
  steal?: boolean | string[];
}

type Ending<T> = T extends unknown ? Omit<T, 'id' | 'leaseToken'> : never;

/** A settlement of the lease with this number, however old it is. */
export type SettlementChoice = { lease: number } & Ending<Settlement>;
