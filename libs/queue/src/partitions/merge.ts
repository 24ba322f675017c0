import { LIMITS } from '../core/limits.js';
import {
  LEASE_OUTCOMES,
  MINUTE_EVENTS,
  type MinuteCounts,
  type QueueOverview,
  type StateCounts,
  type TenantOverview,
  type WaitCounts,
  type WorkerActivity,
} from '../core/ports/inspector.js';
import type { ChoreResult } from '../core/ports/maintainer.js';
import { type Priority, TASK_STATES } from '../core/task.js';
import { wholeOf } from './shares.js';

/* What is told of several partitions as of one queue. */

export function mergeOverviews(parts: readonly [QueueOverview, ...QueueOverview[]]): QueueOverview {
  const [first] = parts;
  return {
    ...first,
    // What is only half done is not promised yet.
    paused: parts.every(({ paused }) => paused),
    draining: parts.every(({ draining }) => draining),
    backlog: sum(parts, ({ backlog }) => backlog),
    waits: mergeWaits(parts.map(({ waits }) => waits)),
    states: mergeStates(parts.map(({ states }) => states)),
    priorities: Object.fromEntries(
      Object.keys(first.priorities).map((priority) => [
        priority,
        mergeStates(parts.map(({ priorities }) => priorities[Number(priority) as Priority])),
      ]),
    ) as QueueOverview['priorities'],
    types: mergeTypes(parts.map(({ types }) => types)),
    minutes: mergeMinutes(parts.flatMap(({ minutes }) => minutes)),
    ...known({
      oldestPendingAgeMs: most(parts.map(({ oldestPendingAgeMs }) => oldestPendingAgeMs)),
      nextDueInMs: least(parts.map(({ nextDueInMs }) => nextDueInMs)),
    }),
  };
}

export function mergeTenants(parts: readonly [TenantOverview, ...TenantOverview[]]): TenantOverview {
  const [first, ...others] = parts;
  return {
    ...first,
    settings: wholeOf([first.settings, ...others.map(({ settings }) => settings)]),
    paused: parts.every(({ paused }) => paused),
    backlog: sum(parts, ({ backlog }) => backlog),
    running: sum(parts, ({ running }) => running),
    startedThisMinute: sum(parts, ({ startedThisMinute }) => startedThisMinute),
    startedLastMinute: sum(parts, ({ startedLastMinute }) => startedLastMinute),
    waits: mergeWaits(parts.map(({ waits }) => waits)),
    ...known({ oldestPendingAgeMs: most(parts.map(({ oldestPendingAgeMs }) => oldestPendingAgeMs)) }),
  };
}

/** Of several workers, what each does in each partition. */
export function mergeActivity(parts: readonly WorkerActivity[][]): WorkerActivity[] {
  const [first = []] = parts;
  return first.map((_, index) => {
    const each = parts.map((part) => part[index]!);
    return {
      running: sum(each, ({ running }) => running),
      totals: Object.fromEntries(
        LEASE_OUTCOMES.map((outcome) => [outcome, sum(each, ({ totals }) => totals[outcome])]),
      ) as WorkerActivity['totals'],
    };
  });
}

export function mergeChores(parts: readonly ChoreResult[]): ChoreResult {
  return {
    count: sum(parts, ({ count }) => count),
    more: parts.some(({ more }) => more),
    ...known({ nextInMs: least(parts.map(({ nextInMs }) => nextInMs)) }),
  };
}

/** The smallest of those that are there. */
export function least(values: readonly (number | undefined)[]): number | undefined {
  const present = values.filter((value) => value !== undefined);
  return present.length > 0 ? Math.min(...present) : undefined;
}

/** Without the fields that have no value: absent means absent. */
export function known<T extends object>(fields: T): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;
}

function most(values: readonly (number | undefined)[]): number | undefined {
  const present = values.filter((value) => value !== undefined);
  return present.length > 0 ? Math.max(...present) : undefined;
}

function mergeStates(parts: readonly StateCounts[]): StateCounts {
  return Object.fromEntries(
    TASK_STATES.map((state) => [state, sum(parts, (counts) => counts[state])]),
  ) as StateCounts;
}

function mergeTypes(parts: readonly QueueOverview['types'][]): QueueOverview['types'] {
  const counts = new Map<string, StateCounts[]>();
  for (const [type, states] of parts.flatMap((types) => Object.entries(types))) {
    counts.set(type, [...(counts.get(type) ?? []), states]);
  }
  const merged = [...counts].map(([type, states]) => [type, mergeStates(states)] as const);
  const total = (states: StateCounts) => sum(TASK_STATES, (state) => states[state]);
  return Object.fromEntries(merged.sort(([, a], [, b]) => total(b) - total(a)).slice(0, LIMITS.typesShown));
}

function mergeMinutes(minutes: readonly MinuteCounts[]): MinuteCounts[] {
  const byStart = new Map<number, MinuteCounts>();
  for (const minute of minutes) {
    const present = byStart.get(minute.at);
    byStart.set(minute.at, present ? addMinutes(present, minute) : minute);
  }
  return [...byStart.values()].sort((a, b) => b.at - a.at).slice(0, LIMITS.minutesShown);
}

function addMinutes(a: MinuteCounts, b: MinuteCounts): MinuteCounts {
  const counts = MINUTE_EVENTS.map((event) => [event, a[event] + b[event]]);
  return { ...a, ...Object.fromEntries(counts) } as MinuteCounts;
}

function mergeWaits([first = [], ...others]: readonly WaitCounts[]): WaitCounts {
  return first.map((count, index) => count + sum(others, (waits) => waits[index] ?? 0));
}

function sum<T>(parts: readonly T[], value: (part: T) => number): number {
  return parts.reduce((total, part) => total + value(part), 0);
}
