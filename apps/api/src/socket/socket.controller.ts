import { Controller, Get, Req, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiProblems } from '../http/api-problems.js';
import { Problem } from '../http/problem.js';
import { upgradeOf } from '../http/upgrade.js';
import { Sockets } from './sockets.js';

/** Opens sockets. What is said on them is in the AsyncAPI document. */
@ApiTags('socket')
@ApiBearerAuth()
@Controller('v1/ws')
export class SocketController {
  constructor(private readonly sockets: Sockets) {}

  @Get()
  @ApiOperation({
    operationId: 'openSocket',
    summary: 'Open a WebSocket',
    description:
      'Of version 13. Its messages are described by the AsyncAPI document at `/asyncapi.json`. A client that can send no header (a browser) offers the subprotocols `fairlane.v1` and `fairlane.key.<key>`, with the key in base64url.',
  })
  @ApiResponse({ status: 101, description: 'It is open.' })
  @ApiProblems(
    'malformed-header',
    'foreign-origin',
    'upgrade-required',
    'too-many-connections',
    'shutting-down',
  )
  open(@Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    const upgrade = upgradeOf(request.raw);
    if (!upgrade) throw new Problem('upgrade-required', { headers: { upgrade: 'websocket' } });
    this.sockets.accept(request, reply, upgrade);
  }
}
