import { LIMITS } from '../core/limits.js';

/**
 * What a script is given, unless one call alone has more. It leaves as soon as there is so much: Redis works on it while
 * the next is being gathered. When all of a turn left at its end, 64 submitters and Redis waited for each other by turns
 * (55,000 tasks/s; 95,000 in parts of 32, 86,000 of 16).
 */
const PART_TASKS = 32;

interface Call<Item, Reply> {
  items: readonly Item[];
  resolve(replies: Reply[]): void;
  reject(error: unknown): void;
}

/** Calls that have not left yet. */
interface Group<Item, Reply> {
  calls: Call<Item, Reply>[];
  tasks: number;
  bytes: number;
}

/**
 * Lets calls of one event-loop turn leave together. Thirty requests that arrive in one turn then cost one script
 * call instead of thirty: a third of the time of Redis per task, and one write to the socket.
 *
 * What is left leaves with `setImmediate`, after all sockets that were readable have been read. At rest that adds
 * nothing: the queue of immediates is empty.
 */
export class Coalescer<Item, Reply> {
  private readonly groups = new Map<string, Group<Item, Reply>>();

  /** @param run answers one reply per item, in order, for items that share a group. */
  constructor(
    private readonly run: (group: string, items: Item[]) => Promise<Reply[]>,
    private readonly bytesOf: (item: Item) => number = () => 0,
  ) {}

  add(name: string, items: readonly Item[]): Promise<Reply[]> {
    return new Promise((resolve, reject) => {
      let group = this.groups.get(name);
      if (!group) {
        group = { calls: [], tasks: 0, bytes: 0 };
        this.groups.set(name, group);
        setImmediate(() => {
          this.groups.delete(name);
          this.send(name, group!);
        });
      }
      const bytes = items.reduce((sum, item) => sum + this.bytesOf(item), 0);
      if (group.tasks + items.length > PART_TASKS || group.bytes + bytes > LIMITS.sliceBytesMax) {
        this.send(name, group);
      }
      group.calls.push({ items, resolve, reject });
      group.tasks += items.length;
      group.bytes += bytes;
      if (group.tasks >= PART_TASKS) this.send(name, group);
    });
  }

  private send(name: string, group: Group<Item, Reply>): void {
    const { calls } = group;
    [group.calls, group.tasks, group.bytes] = [[], 0, 0];
    if (calls.length > 0) void this.call(name, calls);
  }

  private async call(name: string, calls: Call<Item, Reply>[]): Promise<void> {
    try {
      // Not with flatMap, which takes 0.1 us for each.
      const items: Item[] = [];
      for (const call of calls) for (const item of call.items) items.push(item);
      const replies = await this.run(name, items);
      let from = 0;
      for (const call of calls) {
        call.resolve(replies.slice(from, from + call.items.length));
        from += call.items.length;
      }
    } catch (error) {
      for (const call of calls) call.reject(error);
    }
  }
}
