import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { LIMITS, type WaitCounts } from '@app/queue';

/** Starts of tasks that had waited for about as long. */
export class WaitClassView {
  @ApiPropertyOptional({
    description:
      'They had been pending for at most so many milliseconds, and longer than the class before. Absent: any longer.',
    type: 'integer',
    example: 100,
  })
  upToMs?: number;

  @ApiProperty({ description: 'How many.', type: 'integer', example: 12 })
  count!: number;
}

export function viewWaits(waits: WaitCounts): WaitClassView[] {
  return waits.map((count, index) => ({ upToMs: LIMITS.waitBoundsMs[index], count }));
}
