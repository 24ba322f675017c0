import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { ALL_CAPABILITIES, TASK_STATES } from '@app/queue';

/** One thing wrong with a request. */
export class FaultView {
  @ApiProperty({
    description: 'JSON pointer to the field, or to the parameter of a query.',
    example: '/retry/maxAttempts',
  })
  pointer!: string;

  @ApiProperty({ description: 'What it must be.', example: 'must be an integer from 1 to 1000' })
  detail!: string;

  @ApiPropertyOptional({ description: 'Where a part of the request has a problem of its own: its code.' })
  code?: string;
}

/** A problem document, RFC 9457. */
export class ProblemView {
  @ApiProperty({
    description: 'Stable for each kind of problem.',
    example: 'urn:fairlane:problem:task-not-found',
  })
  type!: string;

  @ApiProperty({ description: 'The kind of problem, in words.', example: 'There is no such task.' })
  title!: string;

  @ApiProperty({ description: 'The HTTP status.', type: 'integer', example: 404 })
  status!: number;

  @ApiProperty({ description: 'The last part of `type`, for programs.', example: 'task-not-found' })
  code!: string;

  @ApiPropertyOptional({ description: 'This very case, in words.' })
  detail?: string;

  @ApiPropertyOptional({
    description: 'Stands in our log too, and in the header x-request-id.',
    example: '0b0e2a52-8c4f-4b43-9d44-6f5a3c1f7e55',
  })
  requestId?: string;

  @ApiPropertyOptional({ description: 'The task the problem is about.', example: 'emails~order-42' })
  taskId?: string;

  @ApiPropertyOptional({ description: 'The state that did not allow the request.', enum: TASK_STATES })
  state?: string;

  @ApiPropertyOptional({
    description: 'What the backend of the queue lacks.',
    enum: [...ALL_CAPABILITIES],
    example: 'tenants',
  })
  capability?: string;

  @ApiPropertyOptional({
    description: 'When it makes sense to try again, in milliseconds.',
    type: 'integer',
    example: 2000,
  })
  retryAfterMs?: number;

  @ApiPropertyOptional({ description: 'Everything that is wrong with the request.', type: [FaultView] })
  errors?: FaultView[];
}
