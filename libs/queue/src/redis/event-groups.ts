import { earliest, ORIGIN } from '../core/event-position.js';
import { filterEvents, wanted, type Wanted } from '../core/event-filter.js';
import type {
  EventFilter,
  EventFollower,
  EventPosition,
  Following,
  QueueEvent,
} from '../core/ports/observer.js';
import type { StreamEntry, StreamLine } from './stream-entry.js';
import type { Audience, FollowedStream } from './stream-reader.js';

/** All who follow the same: what they hear is prepared once for all of them. */
export abstract class EventGroup {
  readonly followings = new Set<GroupFollowing>();
  /** Up to where everything has been told. */
  abstract readonly position: EventPosition;
  /** Whether what it follows is one stream, for good. */
  abstract readonly isOne: boolean;
  /** What the group is told of these entries. */
  abstract select(entries: readonly StreamEntry[]): readonly QueueEvent[] | Promise<readonly QueueEvent[]>;

  missed(): void {
    for (const following of this.followings) following.follower.onGap();
  }

  protected hearers(stream: FollowedStream): GroupFollowing[] {
    return [...this.followings].filter((following) => following.hears(stream));
  }
}

/** One who follows, in a group. */
export class GroupFollowing implements Following {
  /** Streams of which it still reads what is old. Absent while it does not yet know which. */
  behind: Set<FollowedStream> | undefined;
  stopped = false;

  constructor(
    readonly follower: EventFollower,
    private readonly group: EventGroup,
    /** Up to where it has been told everything, while it is behind. */
    public reached: EventPosition,
    private readonly onStop: () => void,
  ) {
    group.followings.add(this);
  }

  get position(): EventPosition {
    return this.behind?.size === 0 ? this.group.position : this.reached;
  }

  /** It is still to read what is old of this stream. */
  fallBehind(stream: FollowedStream): void {
    if (this.behind?.size === 0) this.reached = this.group.position;
    this.behind?.add(stream);
  }

  hears(stream: FollowedStream): boolean {
    return this.behind?.has(stream) === false;
  }

  stop(): void {
    this.stopped = true;
    if (this.group.followings.delete(this)) this.onStop();
  }
}

/** Who follow queues, with one filter. */
export class QueueGroup extends EventGroup implements Audience {
  readonly streams = new Set<FollowedStream>();
  /** Of all queues: what queues that are not yet among the streams may have done since is not heard. */
  listedAt: EventPosition | undefined;
  private readonly filter: Wanted;

  constructor(filter: EventFilter) {
    super();
    this.filter = wanted(filter);
  }

  get isOne(): boolean {
    return this.streams.size === 1 && this.listedAt === undefined;
  }

  get position(): EventPosition {
    // A stream that has not been read yet belongs to a queue that `listedAt` does not count on.
    const heard = [...this.streams].map(({ through }) => through).filter((through) => through !== ORIGIN);
    return earliest(this.listedAt === undefined ? heard : [...heard, this.listedAt]);
  }

  select(entries: readonly StreamEntry[]): readonly QueueEvent[] {
    return filterEvents(statesIn(entries), this.filter);
  }

  hear(stream: FollowedStream, entries: readonly StreamEntry[]): void {
    const events = this.select(entries);
    if (events.length === 0) return;
    const { position } = this;
    for (const { follower } of this.hearers(stream)) void follower.onEvents(events, position);
  }
}

/** The same entries are told to one group after another: with a thousand of them, finding the states anew was most of the work. */
const states = new WeakMap<readonly StreamEntry[], readonly QueueEvent[]>();

function statesIn(entries: readonly StreamEntry[]): readonly QueueEvent[] {
  const known = states.get(entries);
  if (known) return known;
  const found = entries.flatMap(({ lines }) =>
    lines.filter(({ report }) => !report).map(({ event }) => event),
  );
  states.set(entries, found);
  return found;
}

/** Who follow one task. */
export class TaskGroup extends EventGroup {
  readonly isOne = true;
  /** What was told last, while reports are read that come before what was heard since. */
  private told: EventPosition | undefined;
  private telling: Promise<void> | undefined;

  constructor(
    readonly key: string,
    private readonly stream: FollowedStream,
    private readonly readReports: (lines: readonly StreamLine[]) => Promise<readonly QueueEvent[]>,
  ) {
    super();
  }

  get position(): EventPosition {
    return this.told ?? this.stream.through;
  }

  select(entries: readonly StreamEntry[]): readonly QueueEvent[] | Promise<readonly QueueEvent[]> {
    return this.read(entries.flatMap(({ lines }) => lines.filter(({ key }) => key === this.key)));
  }

  /** @param before up to where everything had been heard before these lines */
  hearLines(lines: readonly StreamLine[], before: EventPosition): void {
    const { position } = this.stream;
    // Who comes while reports are read has heard of them already.
    const hearers = this.hearers(this.stream);
    const tell = (events: readonly QueueEvent[]) => {
      for (const { follower, stopped } of hearers) if (!stopped) void follower.onEvents(events, position);
    };
    const events = this.read(lines);
    if (!this.telling && !(events instanceof Promise)) return tell(events);
    this.told ??= before;
    const telling = (this.telling ?? Promise.resolve())
      .then(async () => tell(await events))
      .catch(() => this.missed())
      .finally(() => {
        this.told = position;
        if (this.telling === telling) this.told = this.telling = undefined;
      });
    this.telling = telling;
  }

  private read(lines: readonly StreamLine[]): readonly QueueEvent[] | Promise<readonly QueueEvent[]> {
    if (lines.some(({ report }) => report)) return this.readReports(lines);
    return lines.map(({ event }) => event);
  }
}

/** Who follow single tasks of a queue. */
export class TaskAudience implements Audience {
  readonly groups = new Map<string, TaskGroup>();

  hear(_stream: FollowedStream, entries: readonly StreamEntry[], before: EventPosition): void {
    const heard = new Map<TaskGroup, StreamLine[]>();
    for (const { lines } of entries) {
      for (const line of lines) {
        const group = this.groups.get(line.key);
        if (!group) continue;
        const known = heard.get(group);
        if (known) known.push(line);
        else heard.set(group, [line]);
      }
    }
    for (const [group, lines] of heard) group.hearLines(lines, before);
  }

  missed(): void {
    for (const group of this.groups.values()) group.missed();
  }
}
