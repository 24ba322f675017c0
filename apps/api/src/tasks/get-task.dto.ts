import { ApiProperty } from '@nestjs/swagger';
import { Field } from '../http/field.js';
import { waitRule } from '../http/wait.js';

/** How to get one task. */
export class GetTaskDto {
  @Field(waitRule, { description: 'Seconds to wait for the end of the task.', default: 0, example: 10 })
  wait?: number;
}

/** A line a handler wrote while it ran. */
export class LogLineView {
  @ApiProperty({
    description: 'When it was received.',
    type: 'string',
    format: 'date-time',
    example: '2026-01-31T12:00:00.000Z',
  })
  at!: string;

  @ApiProperty({ description: 'During which attempt, from 1.', type: 'integer', example: 1 })
  attempt!: number;

  @ApiProperty({ description: 'What it says.', example: 'sent to ada@example.com' })
  message!: string;
}

/** What a handler wrote. */
export class LogsView {
  @ApiProperty({ description: 'The latest lines, oldest first.', type: [LogLineView] })
  items!: LogLineView[];
}
