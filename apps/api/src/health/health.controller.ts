import { Controller, Get, Inject, Res } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { type Inspector, QueueError, troubleOf } from '@app/queue';
import { checkHealth, type HealthCheckResult } from '@app/runtime';
import type { FastifyReply } from 'fastify';
import { cached } from '../http/cached.js';
import { ParkedWaits } from '../http/parked-waits.js';
import { retryAfterSeconds } from '../http/problem.js';
import { INSPECTOR } from '../ports.module.js';
import { LiveView, ReadyView } from './health.view.js';

/** Anybody may ask, so that asking often must not cost the store much. */
const READY_AGE_MS_MAX = 200;

/** What orchestrators and load balancers ask. Needs no key. */
@ApiTags('health')
@Controller('health')
export class HealthController {
  private readonly ready: () => Promise<ReadyView>;

  constructor(
    @Inject(INSPECTOR) inspector: Inspector,
    private readonly waits: ParkedWaits,
  ) {
    this.ready = cached(READY_AGE_MS_MAX, () => checkReady(inspector));
  }

  @Get('live')
  @ApiOperation({
    operationId: 'getLiveness',
    summary: 'Whether the process is alive',
    description: 'If this does not answer, the process should be restarted.',
    security: [],
  })
  @ApiResponse({ status: 200, type: LiveView, description: 'It is.' })
  live(): LiveView {
    return { status: 'ok' };
  }

  @Get('ready')
  @ApiOperation({
    operationId: 'getReadiness',
    summary: 'Whether requests can be served',
    description: 'Makes a real write and a real read, and says how long they took.',
    security: [],
  })
  @ApiResponse({ status: 200, type: ReadyView, description: 'They can.' })
  @ApiResponse({
    status: 503,
    type: ReadyView,
    description: 'They cannot now, or the process is shutting down.',
  })
  async readiness(@Res({ passthrough: true }) reply: FastifyReply): Promise<ReadyView> {
    const report = await this.ready();
    const status = this.waits.isEnding ? 'unavailable' : report.status;
    if (status !== 'ok') reply.code(503).header('retry-after', retryAfterSeconds());
    return { ...report, status };
  }
}

async function checkReady(inspector: Inspector): Promise<ReadyView> {
  let times: { writeMs: number; readMs: number } | undefined;
  const check = async (): Promise<HealthCheckResult> => {
    try {
      times = await inspector.probe();
      return { ok: true };
    } catch (error) {
      // The code tells a full store from one that is away, and nothing else about it.
      if (error instanceof QueueError) return { ok: false, detail: troubleOf(error) };
      throw error;
    }
  };
  const { status, checks } = await checkHealth([{ name: 'store', check }]);
  const store = checks['store'] ?? { status, durationMs: 0 };
  return { status, checks: { store: { ...store, writeMs: times?.writeMs, readMs: times?.readMs } } };
}
