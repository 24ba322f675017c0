import type { NewTask, Settlement } from '@app/queue';

/**
 * One step of a story, as plain data, so that a failing story can be kept as it was printed. What names a lease,
 * a task or an edge is a number counted into those there are: a shorter story still makes sense.
 */
export type Step =
  | { do: 'enqueue'; tasks: TaskChoice[]; atomic?: boolean }
  | { do: 'lease'; request: RequestChoice }
  /** The worker's latest request once more, as after a lost reply. */
  | { do: 'leaseAgain'; queue: QueueChoice; worker: number }
  | { do: 'settle'; settlements: SettlementChoice[]; next?: RequestChoice }
  | { do: 'extend'; leases: number[]; leaseMs: number; progress?: string; logs?: string[] }
  | { do: 'cancel' | 'retry'; tasks: number[] }
  | { do: 'promote' | 'reap' | 'prune'; queue: QueueChoice }
  | { do: 'setWeight'; queue: QueueChoice; tenant: string; weight: number }
  | { do: 'elect'; holder: number; ttlMs: number }
  /** From then on submissions may leave their queue to their type. */
  | { do: 'announce' }
  | { do: 'advance'; ms: number }
  /** To where something happens, or to just before or after it. */
  | { do: 'advanceTo'; edge: 'due' | 'deadline'; ms: number }
  /** Reaps often enough for the workers, not the clock, to be to blame. */
  | { do: 'loseLeases'; queue: QueueChoice }
  /** The latest mutation exactly as it was, as after a lost reply. */
  | { do: 'repeat' }
  | { do: 'flushScripts' }
  | { do: 'switchClient' }
  | { do: 'waitForWork'; queue: QueueChoice }
  | { do: 'waitForEnd'; task: number };

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

export interface RequestChoice {
  queue: QueueChoice;
  worker: number;
  max: number;
  leaseMs: number;
}

type Ending<T> = T extends unknown ? Omit<T, 'id' | 'leaseToken'> : never;

/** A settlement of the lease with this number, however old it is. */
export type SettlementChoice = { lease: number } & Ending<Settlement>;
