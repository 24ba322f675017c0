import { ApiPropertyOptional } from '@nestjs/swagger';
import type { WorkerCommand } from '@app/queue';
import { commandField } from '../workers/worker.view.js';

/** What is wanted of the worker of this connection. */
export class ToldView {
  @ApiPropertyOptional(commandField)
  command?: WorkerCommand;
}
