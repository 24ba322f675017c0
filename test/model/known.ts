import { type Lease, type QueueName, type TaskId, taskId } from '@app/queue';

export interface HeldLease {
  id: TaskId;
  leaseToken: string;
}

/** What a story's callers have been told: every task that was ever accepted, every lease that was ever given. */
export class Known {
  readonly #ids = new Set<TaskId>();
  readonly #leases: HeldLease[] = [];

  accept(id: TaskId): void {
    this.#ids.add(id);
  }

  receive({ tasks }: Lease): void {
    for (const { id, leaseToken } of tasks) {
      const known = this.#leases.some((lease) => lease.id === id && lease.leaseToken === leaseToken);
      if (!known) this.#leases.push({ id, leaseToken });
    }
  }

  idsOf(queue: QueueName): TaskId[] {
    return [...this.#ids].filter((id) => id.startsWith(`${queue}~`));
  }

  /** From the latest backwards; one that never was where there are none. */
  idBy(number: number, queue: QueueName): TaskId {
    const ids = [...this.#ids];
    return ids.length === 0 ? taskId(queue, 'nobody') : ids[ids.length - 1 - (number % ids.length)]!;
  }

  /** From the latest backwards; none where there never was one. */
  leaseBy(number: number): HeldLease[] {
    const { length } = this.#leases;
    return length === 0 ? [] : [this.#leases[length - 1 - (number % length)]!];
  }

  get leases(): readonly HeldLease[] {
    return this.#leases;
  }
}
