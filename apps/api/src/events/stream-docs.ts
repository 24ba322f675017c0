import type { Type } from '@nestjs/common';
import { getSchemaPath, type ApiResponseOptions } from '@nestjs/swagger';
import { EVENT_STREAM, frame, KEEP_ALIVE } from './sse.js';

const EVENT = { id: 'emails~order-42', queue: 'emails', at: '2026-01-31T12:00:00.000Z', attempt: 1 };
const DATA = {
  task: {
    id: EVENT.id,
    queue: EVENT.queue,
    type: 'email.send',
    state: 'pending',
    tenant: 'acme',
    attempt: 0,
  },
  state: { ...EVENT, state: 'running', type: 'email.send', tenant: 'acme' },
  progress: { ...EVENT, progress: { percent: 40 } },
  logs: { ...EVENT, items: [{ at: EVENT.at, attempt: 1, message: 'sent to ada@example.com' }] },
};
const EXAMPLES = {
  ...Object.fromEntries(
    Object.entries(DATA).map(([name, data]) => [name, frame(name, data, '1769860800000-0')]),
  ),
  gap: frame('gap', {}),
  'keep-alive': KEEP_ALIVE,
};

/** How a stream is documented that has these events, besides those that any has. */
export function streamOf(events: Readonly<Record<string, Type>>): ApiResponseOptions {
  const named = Object.entries(events).map(([name, type]) => [name, { $ref: getSchemaPath(type) }]);
  const examples = Object.entries(EXAMPLES).filter(([name]) => !(name in DATA) || name in events);
  return {
    status: 200,
    description:
      'Events as the HTML standard frames them: `event`, `id`, and `data`, which is JSON. `x-events` has the schema of each; `gap` has no data.',
    headers: {
      'X-Accel-Buffering': { description: '`no`: for proxies.', schema: { type: 'string' } },
    },
    content: {
      [EVENT_STREAM]: {
        schema: { type: 'string', 'x-events': { ...Object.fromEntries(named), gap: { type: 'object' } } },
        examples: Object.fromEntries(examples.map(([name, value]) => [name, { summary: name, value }])),
      },
    },
  } as ApiResponseOptions;
}
