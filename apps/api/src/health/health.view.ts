import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';

/** The process answers. */
export class LiveView {
  @ApiProperty({ description: 'Always ok: who answers is alive.', enum: ['ok'], example: 'ok' })
  status!: 'ok';
}

/** Whether the store can be used. */
export class StoreHealthView {
  @ApiProperty({
    description: 'Whether it took a write and a read.',
    enum: ['ok', 'unavailable'],
    example: 'ok',
  })
  status!: 'ok' | 'unavailable';

  @ApiProperty({ description: 'How long the check took, in milliseconds.', type: 'number', example: 2 })
  durationMs!: number;

  @ApiPropertyOptional({
    description: 'How long the write took, in milliseconds.',
    type: 'number',
    example: 0.8,
  })
  writeMs?: number;

  @ApiPropertyOptional({
    description: 'How long the read took, in milliseconds.',
    type: 'number',
    example: 0.4,
  })
  readMs?: number;

  @ApiPropertyOptional({
    description:
      'Why it is unavailable; where queues are on several backends, after the names of those that are.',
    example: 'bullmq: store-unavailable',
  })
  detail?: string;
}

/** What the readiness check looks at. */
export class ReadyChecksView {
  @ApiProperty({ description: 'A real write and a real read.', type: StoreHealthView })
  store!: StoreHealthView;
}

/** Whether requests can be served. */
export class ReadyView {
  @ApiProperty({ description: 'Whether requests can be served.', enum: ['ok', 'unavailable'], example: 'ok' })
  status!: 'ok' | 'unavailable';

  @ApiProperty({ description: 'What was looked at.', type: ReadyChecksView })
  checks!: ReadyChecksView;
}
