import { type DynamicModule, Module } from '@nestjs/common';
import { EventStreams, FOLLOWERS_MAX } from './event-streams.js';
import { EventsController } from './events.controller.js';

@Module({})
export class EventsModule {
  static of(followersMax: number): DynamicModule {
    return {
      module: EventsModule,
      controllers: [EventsController],
      providers: [EventStreams, { provide: FOLLOWERS_MAX, useValue: followersMax }],
      exports: [EventStreams],
      // For the socket, which counts its followers among those of HTTP.
      global: true,
    };
  }
}
