import type { Priority } from './task.js';

/** By name, from the least to the most urgent. */
export const PRIORITIES = {
  very_low: 1,
  low: 2,
  normal: 3,
  high: 4,
  very_high: 5,
  critical: 6,
} as const satisfies Record<string, Priority>;

export type PriorityName = keyof typeof PRIORITIES;

export const PRIORITY_NAMES = Object.keys(PRIORITIES) as PriorityName[];
export const DEFAULT_PRIORITY: Priority = PRIORITIES.normal;
export const LOWEST_PRIORITY: Priority = 1;
export const HIGHEST_PRIORITY: Priority = 6;

export function isPriority(value: unknown): value is Priority {
  return (
    Number.isInteger(value) && (value as number) >= LOWEST_PRIORITY && (value as number) <= HIGHEST_PRIORITY
  );
}

/** A number from 1 to 6 or a name; `undefined` for anything else. */
export function parsePriority(value: unknown): Priority | undefined {
  if (isPriority(value)) return value;
  if (typeof value === 'string' && Object.hasOwn(PRIORITIES, value)) return PRIORITIES[value as PriorityName];
  return undefined;
}

export function priorityName(priority: Priority): PriorityName {
  return PRIORITY_NAMES[priority - 1] as PriorityName;
}
