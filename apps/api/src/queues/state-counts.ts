import { TASK_STATES } from '@app/queue';

/** Schema of a number of things. */
export const count = { type: 'integer', minimum: 0 } as const;

/** Schema of the counts by state. */
export const stateCountsSchema = {
  type: 'object' as const,
  properties: Object.fromEntries(TASK_STATES.map((state) => [state, count])),
  required: [...TASK_STATES],
  additionalProperties: false,
  example: Object.fromEntries(TASK_STATES.map((state) => [state, state === 'pending' ? 12 : 0])),
};
