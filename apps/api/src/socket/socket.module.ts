import { type DynamicModule, Module } from '@nestjs/common';
import { LeasesModule } from '../leases/leases.module.js';
import type { MessageType } from './message-type.js';
import { MessageTypes } from './message-types.js';
import { CancelMessage } from './messages/cancel.message.js';
import { CreditMessage } from './messages/credit.message.js';
import { FollowMessage } from './messages/follow.message.js';
import { FollowTaskMessage } from './messages/follow-task.message.js';
import { GetMessage } from './messages/get.message.js';
import { HeartbeatMessage } from './messages/heartbeat.message.js';
import { RegisterMessage } from './messages/register.message.js';
import { SettleMessage } from './messages/settle.message.js';
import { SubmitMessage } from './messages/submit.message.js';
import { SubmitBatchMessage } from './messages/submit-batch.message.js';
import { UnfollowMessage } from './messages/unfollow.message.js';
import { Sessions } from './sessions.js';
import { SocketController } from './socket.controller.js';
import { WorkersModule } from '../workers/workers.module.js';
import { SOCKET_OPTIONS, Sockets, type SocketOptions } from './sockets.js';

/** What clients may say, in the order in which it is documented. */
const MESSAGES = [
  SubmitMessage,
  SubmitBatchMessage,
  GetMessage,
  CancelMessage,
  FollowTaskMessage,
  FollowMessage,
  UnfollowMessage,
  RegisterMessage,
  CreditMessage,
  HeartbeatMessage,
  SettleMessage,
];

@Module({})
export class SocketModule {
  static of(options: SocketOptions): DynamicModule {
    return {
      module: SocketModule,
      imports: [LeasesModule, WorkersModule],
      controllers: [SocketController],
      providers: [
        Sockets,
        Sessions,
        ...MESSAGES,
        {
          provide: MessageTypes,
          useFactory: (...all: MessageType[]) => new MessageTypes(all),
          inject: MESSAGES,
        },
        { provide: SOCKET_OPTIONS, useValue: options },
      ],
    };
  }
}
