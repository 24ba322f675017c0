import { type DynamicModule, Global, Module } from '@nestjs/common';
import { APP_PIPE } from '@nestjs/core';
import { ParkedWaits } from './parked-waits.js';
import { RouteTable } from './route-table.js';
import { DtoPipe } from './validation.js';

/** What every route shares and Nest injects. */
@Global()
@Module({})
export class HttpModule {
  static of(routes: RouteTable): DynamicModule {
    const shared = [ParkedWaits, { provide: RouteTable, useValue: routes }];
    return {
      module: HttpModule,
      providers: [...shared, { provide: APP_PIPE, useClass: DtoPipe }],
      exports: shared,
    };
  }
}
