import { ApiProperty } from '@nestjs/swagger';
import type { ChoreResult } from '@app/queue';

/* What concerns any number of tasks is done in slices, each short for the store, and so many in one request. */
const SLICES_MAX = 20;
const TIME_MS_MAX = 1_000;

/** What one request did of something that can take many. */
export class ProgressView {
  @ApiProperty({ description: 'How many tasks this request dealt with.', type: 'integer', example: 500 })
  count!: number;

  @ApiProperty({ description: 'There is more to do: repeat the request.', example: false })
  more!: boolean;
}

/** Does slices until there is no more to do or the request has taken its share. */
export async function inSlices(slice: () => Promise<ChoreResult>): Promise<ProgressView> {
  const endsAtMs = performance.now() + TIME_MS_MAX;
  const progress = { count: 0, more: true };
  for (let slices = 0; progress.more && slices < SLICES_MAX && performance.now() < endsAtMs; slices++) {
    const { count, more } = await slice();
    progress.count += count;
    progress.more = more;
  }
  return progress;
}
