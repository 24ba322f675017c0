import { Controller, Get, Inject } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Inspector } from '@app/queue';
import { ApiProblems } from '../http/api-problems.js';
import { cached } from '../http/cached.js';
import { INSPECTOR } from '../ports.module.js';
import { StatsView } from './stats.view.js';
import { countTotals } from './totals.js';

const AGE_MS_MAX = 1_000;

/** Sums over everything. */
@ApiTags('stats')
@ApiBearerAuth()
@Controller('v1/stats')
export class StatsController {
  private readonly totals: () => Promise<StatsView>;

  constructor(@Inject(INSPECTOR) inspector: Inspector) {
    this.totals = cached(AGE_MS_MAX, () => countTotals(inspector));
  }

  @Get()
  @ApiOperation({
    operationId: 'getStats',
    summary: 'Get totals over all queues',
    description: 'At most a second old.',
  })
  @ApiResponse({ status: 200, type: StatsView, description: 'The totals.' })
  @ApiProblems()
  get(): Promise<StatsView> {
    return this.totals();
  }
}
