import { bulkhead } from 'cockatiel';
import { Cluster } from 'ioredis';
import { checkFilter, filterKey } from '../core/event-filter.js';
import { checkPosition, isAfter, ORIGIN, positionBefore, timeOfPosition } from '../core/event-position.js';
import { LIMITS } from '../core/limits.js';
import { checkName, splitTaskId } from '../core/names.js';
import type {
  EventFollower,
  EventPosition,
  EventSelection,
  Following,
  Observer,
  QueueEvent,
} from '../core/ports/observer.js';
import type { QueueName, Task, TaskId } from '../core/task.js';
import { Coalescer } from './coalescer.js';
import type { Client } from './connection.js';
import type { Directory } from './directory.js';
import { type EventGroup, GroupFollowing, QueueGroup, TaskAudience, TaskGroup } from './event-groups.js';
import { decodeLogLine, decodeRow, type Row } from './record.js';
import type { ScriptRunner } from './script-runner.js';
import { reportsScript, snapshotScript } from './scripts.generated.js';
import type { StreamLine } from './stream-entry.js';
import type { StreamHistory } from './stream-history.js';
import type { FollowedStream, StreamSource } from './stream-reader.js';

/** Who catch up take turns: 5,000 that reconnect at once must not ask Redis for 5,000 pages at once. */
const CATCHING_UP_MAX = 16;

type Report = readonly [key: string, last: string, count: string];

/** Follows tasks and queues by their event streams; event-groups.ts says who shares what. */
export class RedisObserver implements Observer {
  private readonly queueGroups = new Map<string, { group: QueueGroup; ready: Promise<void> }>();
  private readonly taskAudiences = new Map<
    QueueName,
    { audience: TaskAudience; joined: Promise<FollowedStream> }
  >();
  private readonly turns = bulkhead(CATCHING_UP_MAX, Infinity);
  private readonly reporting = new Coalescer<Report, string | string[]>(async (queue, reports) => {
    return (await this.scripts.run(reportsScript, queue, {}, reports.flat())) as (string | string[])[];
  });
  private closed = false;

  constructor(
    private readonly client: Client,
    private readonly scripts: ScriptRunner,
    private readonly directory: Directory,
    private readonly streams: StreamSource,
    private readonly history: StreamHistory,
  ) {}

  async snapshot(id: TaskId): Promise<{ task: Task; position: EventPosition } | undefined> {
    const { queue, key } = splitTaskId(id);
    const [row, latest] = (await this.scripts.run(snapshotScript, queue, {}, [key])) as [Row | '', string];
    return row === ''
      ? undefined
      : { task: decodeRow(queue, row), position: latest === '' ? ORIGIN : latest };
  }

  async follow(
    selection: EventSelection,
    follower: EventFollower,
    after?: EventPosition,
  ): Promise<Following> {
    if (after !== undefined) checkPosition(after);
    if ('task' in selection) return this.followTask(selection.task, follower, after);
    checkFilter(selection);
    for (const queue of selection.queues === 'all' ? [] : selection.queues)
      checkName('queue', queue, '/queues');
    return this.followQueues(selection, follower, after);
  }

  close(): void {
    this.closed = true;
  }

  private async followTask(id: TaskId, follower: EventFollower, after?: EventPosition): Promise<Following> {
    const { queue, key } = splitTaskId(id);
    let known = this.taskAudiences.get(queue);
    if (!known) {
      const audience = new TaskAudience();
      known = { audience, joined: this.streams.join(queue, audience) };
      this.taskAudiences.set(queue, known);
      // Whoever asks for it hears of the failure.
      known.joined.catch(() => this.taskAudiences.delete(queue));
    }
    const { audience, joined } = known;
    const stream = await joined;
    let group = audience.groups.get(key);
    if (!group) {
      group = new TaskGroup(key, stream, (lines) => this.readReports(queue, lines));
      audience.groups.set(key, group);
    }
    const onStop = () => {
      if (group.followings.size > 0 || audience.groups.get(key) !== group) return;
      audience.groups.delete(key);
      if (audience.groups.size > 0 || this.taskAudiences.get(queue) !== known) return;
      this.taskAudiences.delete(queue);
      this.streams.leave(queue, audience);
    };
    return this.begin(
      new GroupFollowing(follower, group, after ?? stream.position, onStop),
      group,
      [stream],
      after,
    );
  }

  private async followQueues(
    selection: Extract<EventSelection, { queues: unknown }>,
    follower: EventFollower,
    after?: EventPosition,
  ): Promise<Following> {
    const names = selection.queues === 'all' ? '*' : [...new Set(selection.queues)].sort().join(' ');
    const groupKey = `${names}|${filterKey(selection)}`;
    let known = this.queueGroups.get(groupKey);
    if (!known) {
      const group = new QueueGroup(selection);
      known = { group, ready: this.joinAll(group, selection.queues) };
      this.queueGroups.set(groupKey, known);
    }
    const { group, ready } = known;
    const following = new GroupFollowing(follower, group, after ?? ORIGIN, () => {
      if (group.followings.size > 0 || this.queueGroups.get(groupKey)?.group !== group) return;
      this.queueGroups.delete(groupKey);
      for (const { queue } of group.streams) this.streams.leave(queue, group);
    });
    try {
      await ready;
    } catch (error) {
      following.stop();
      throw error;
    }
    return this.begin(following, group, [...group.streams], after);
  }

  private begin(
    following: GroupFollowing,
    group: EventGroup,
    streams: readonly FollowedStream[],
    after: EventPosition | undefined,
  ): Following {
    following.behind = new Set(after === undefined ? [] : streams);
    if (after !== undefined) for (const stream of streams) void this.catchUp(following, group, stream, after);
    return following;
  }

  private async joinAll(group: QueueGroup, queues: readonly QueueName[] | 'all'): Promise<void> {
    if (queues !== 'all') {
      for (const stream of await Promise.all(queues.map((queue) => this.streams.join(queue, group)))) {
        group.streams.add(stream);
      }
      return;
    }
    await this.joinListed(group);
    const timer = setInterval(() => {
      if (this.closed || group.followings.size === 0) return clearInterval(timer);
      void this.joinListed(group, ORIGIN).catch(() => undefined);
    }, LIMITS.followedLookMs).unref();
  }

  /** Joins the streams of the queues that are new; `from` the beginning, what happened in them belongs to what is followed. */
  private async joinListed(group: QueueGroup, from?: EventPosition): Promise<void> {
    const { followedQueuesMax, followedConnectionsMax } = LIMITS;
    const most = this.client instanceof Cluster ? followedConnectionsMax : followedQueuesMax;
    const listedAt = positionBefore(await this.history.nowMs());
    const { items } = await this.directory.queues(most);
    const present = new Set([...group.streams].map(({ queue }) => queue));
    const added = items.filter((queue) => !present.has(queue)).slice(0, most - present.size);
    const unheard = added.length > 0 || [...group.streams].some(({ through }) => through === ORIGIN);
    for (const stream of await Promise.all(added.map((queue) => this.streams.join(queue, group, from)))) {
      group.streams.add(stream);
      if (from === undefined || stream.position === from) continue;
      // Somebody here followed it already.
      for (const following of group.followings) {
        following.fallBehind(stream);
        void this.catchUp(following, group, stream, from);
      }
    }
    if (from === undefined || !unheard) group.listedAt = listedAt;
  }

  /** Tells one who follows what happened in a stream between `after` and what the others have heard. */
  private async catchUp(
    following: GroupFollowing,
    group: EventGroup,
    stream: FollowedStream,
    after: EventPosition,
  ): Promise<void> {
    let at = after;
    try {
      if (isAfter(at, stream.through) && timeOfPosition(at) > (await this.history.nowMs())) {
        // Of another store, or of a part of this one's time that it has lost.
        following.follower.onGap();
      }
      while (!following.stopped && isAfter(stream.position, at)) {
        const upTo = stream.position;
        const { entries, missed } = await this.turns.execute(() => this.history.read(stream.queue, at, upTo));
        if (following.stopped) return;
        if (missed) following.follower.onGap();
        at = entries.at(-1)?.position ?? upTo;
        const events = await group.select(entries);
        if (events.length > 0)
          await following.follower.onEvents(events, group.isOne ? at : following.reached);
        if (group.isOne) following.reached = at;
      }
    } catch {
      if (!following.stopped) following.follower.onGap();
    } finally {
      following.behind?.delete(stream);
    }
  }

  private async readReports(queue: QueueName, lines: readonly StreamLine[]): Promise<readonly QueueEvent[]> {
    const reports = lines.flatMap(({ key, report }) =>
      report ? [[key, report.last, report.count] as const] : [],
    );
    const replies = await this.reporting.add(queue, reports);
    return lines.flatMap(({ event, report }) => {
      if (!report) return [event];
      const reply = replies.shift()!;
      if (reply.length === 0) return [];
      if (typeof reply === 'string') return [{ ...event, progress: reply }];
      return [{ ...event, logs: reply.map(decodeLogLine) }];
    });
  }
}
