import { Controller, Get, Inject, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Inspector, Queue, Registry } from '@app/queue';
import type { FastifyReply } from 'fastify';
import { ApiProblems } from '../http/api-problems.js';
import { INSPECTOR, REGISTRY } from '../ports.module.js';
import { METRICS, type ApiMetrics } from './http-metrics.js';
import { exportQueues } from './queue-gauges.js';
import { exportWorkers } from './worker-gauges.js';

/** For Prometheus. */
@ApiTags('metrics')
@ApiBearerAuth()
@Controller('metrics')
export class MetricsController {
  constructor(
    @Inject(METRICS) private readonly metrics: ApiMetrics,
    @Inject(INSPECTOR) inspector: Inspector,
    @Inject(REGISTRY) registry: Registry & Pick<Queue, 'capabilities'>,
  ) {
    exportQueues(inspector, metrics);
    if (registry.capabilities().has('worker-registry')) exportWorkers(registry, metrics);
  }

  @Get()
  @ApiOperation({
    operationId: 'getMetrics',
    summary: 'Get metrics',
    description: 'In the text format of Prometheus. Gauges of at most 200 queues, at most five seconds old.',
  })
  @ApiResponse({
    status: 200,
    description: 'The metrics.',
    content: { 'text/plain': { schema: { type: 'string' } } },
  })
  @ApiProblems()
  async get(@Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    const page = await this.metrics.render();
    reply.type(this.metrics.contentType);
    return page;
  }
}
