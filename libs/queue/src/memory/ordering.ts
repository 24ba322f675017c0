import type { Task } from '../core/task.js';
import type { TaskRecord } from './record.js';

/**
 * Tasks of one tenant with the same ordering key run one after the other: the first that starts holds the key until
 * it ends, whatever becomes of it meanwhile; others that would start step aside until it is theirs.
 */
export class Ordering {
  readonly #holders = new Map<string, TaskRecord>();
  readonly #aside = new Map<string, TaskRecord[]>();

  /** Whether the task may start, which makes it the holder; else it has stepped aside. */
  claim(record: TaskRecord): boolean {
    const scope = scopeOf(record.task);
    if (scope === undefined) return true;
    const holder = this.#holders.get(scope);
    if (holder && holder !== record) {
      this.#aside.set(scope, [...(this.#aside.get(scope) ?? []), record]);
      return false;
    }
    this.#holders.set(scope, record);
    return true;
  }

  /** Of those that stepped aside, if it did. */
  withdraw(record: TaskRecord): void {
    const scope = scopeOf(record.task);
    const aside = scope === undefined ? undefined : this.#aside.get(scope);
    if (aside?.includes(record)) aside.splice(aside.indexOf(record), 1);
  }

  /** The task has ended. Returns the one that holds its key from now on and is to wait in its lane again. */
  release(record: TaskRecord): TaskRecord | undefined {
    const scope = scopeOf(record.task);
    if (scope === undefined || this.#holders.get(scope) !== record) return undefined;
    const next = this.#aside.get(scope)?.shift();
    if (next) this.#holders.set(scope, next);
    else this.#holders.delete(scope);
    return next;
  }
}

function scopeOf({ tenant, orderingKey }: Task): string | undefined {
  return orderingKey === undefined ? undefined : `${tenant} ${orderingKey}`;
}
