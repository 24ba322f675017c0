import { ApiProperty, ApiPropertyOptional, getSchemaPath } from '@nestjs/swagger';
import { LogsEventView, ProgressEventView, StateEventView } from '../events/event.view.js';
import { TaskView } from '../tasks/task.view.js';

/** The names of what is told to whoever follows. */
export const EVENT_NAMES = ['task', 'state', 'progress', 'logs', 'gap', 'end'] as const;

/** Something that happened to what is followed. */
export class EventMessageView {
  @ApiProperty({
    description:
      '`task`: the task as it is. `state`, `progress`, `logs`: it entered a state, its worker reported. `gap`: something may have been missed. `end`: nothing more will come.',
    enum: EVENT_NAMES,
    example: 'state',
  })
  name!: (typeof EVENT_NAMES)[number];

  @ApiPropertyOptional({
    description: 'By `name`; absent with `end`.',
    oneOf: [
      { $ref: getSchemaPath(TaskView) },
      { $ref: getSchemaPath(StateEventView) },
      { $ref: getSchemaPath(ProgressEventView) },
      { $ref: getSchemaPath(LogsEventView) },
      { type: 'object', additionalProperties: false },
    ],
  })
  data?: unknown;

  @ApiPropertyOptional({
    description: 'Where to go on after it, as `lastEventId`. With the last of those that happened together.',
    example: '1769860800000-0',
  })
  position?: string;
}
