import { Controller, Get, Inject } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Backends } from '@app/queue';
import { VERSION } from '@app/runtime';
import { ApiProblems } from '../http/api-problems.js';
import { BACKENDS } from '../ports.module.js';
import { InfoView } from './info.view.js';

/** What this service is and can do. */
@ApiTags('info')
@ApiBearerAuth()
@Controller('v1/info')
export class InfoController {
  constructor(@Inject(BACKENDS) private readonly backends: Backends) {}

  @Get()
  @ApiOperation({
    operationId: 'getInfo',
    summary: 'Get the version, and what queues can do',
    description: 'What the backends of the queues can and cannot do is explained in docs/backends.md.',
  })
  @ApiResponse({ status: 200, type: InfoView, description: 'The service.' })
  @ApiProblems()
  get(): InfoView {
    const { main, others } = this.backends;
    return {
      version: VERSION,
      backend: { name: main.name, capabilities: [...main.capabilities] },
      otherBackends: others.map(({ name, queues, capabilities }) => ({
        name,
        capabilities: [...capabilities],
        queues,
      })),
    };
  }
}
