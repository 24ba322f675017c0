import { type DynamicModule, Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { HandlersModule } from './handlers/handlers.module.js';
import { AddressGuard } from './handlers/http-request/address-guard.js';
import { guardedAgent } from './handlers/http-request/guarded-agent.js';
import { HTTP_CLIENT } from './handlers/http-request/http-request.handler.js';
import type { WorkerSettings } from './worker.settings.js';

/** The worker's handlers and what they are given. */
@Module({})
export class WorkerModule {
  static of({ httpRequestAllow }: Pick<WorkerSettings, 'httpRequestAllow'>): DynamicModule {
    const client = guardedAgent(new AddressGuard(httpRequestAllow));
    return {
      module: WorkerModule,
      global: true,
      imports: [DiscoveryModule, HandlersModule],
      providers: [{ provide: HTTP_CLIENT, useValue: client }],
      exports: [HTTP_CLIENT],
    };
  }
}
