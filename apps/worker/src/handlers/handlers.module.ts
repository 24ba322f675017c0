import { Module } from '@nestjs/common';
import { DemoEchoHandler } from './demo-echo.handler.js';
import { DemoFailHandler } from './demo-fail.handler.js';
import { DemoSleepHandler } from './demo-sleep.handler.js';
import { HttpRequestHandler } from './http-request/http-request.handler.js';

/** The handlers of this worker. A new one is listed here; nothing else may be. */
@Module({ providers: [HttpRequestHandler, DemoEchoHandler, DemoSleepHandler, DemoFailHandler] })
export class HandlersModule {}
