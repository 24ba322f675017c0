import { IsBoolean, IsInt, IsOptional, IsString, MaxLength, Min } from 'class-validator';
import { PermanentError, type HandlerContext } from '@app/queue';
import { Handler, type TaskHandler } from './handler.js';

export class DemoFailPayload {
  /** Default: "This task fails on purpose." */
  @IsOptional()
  @IsString()
  @MaxLength(1_000)
  message?: string;

  /** Default: `demo`. */
  @IsOptional()
  @IsString()
  @MaxLength(64)
  code?: string;

  /** False: to the dead-letter queue at once. Default: true. */
  @IsOptional()
  @IsBoolean()
  retryable?: boolean;

  /** How many attempts fail before one succeeds. Default: all of them. */
  @IsOptional()
  @IsInt()
  @Min(0)
  times?: number;
}

/** Fails, for as often as it is told to: for trying out retries and the dead-letter queue. */
@Handler({ type: 'demo.fail', payload: DemoFailPayload })
export class DemoFailHandler implements TaskHandler<DemoFailPayload> {
  run(
    { message = 'This task fails on purpose.', code = 'demo', retryable = true, times }: DemoFailPayload,
    { attempt }: HandlerContext,
  ): { attempt: number } {
    if (times !== undefined && attempt > times) return { attempt };
    if (!retryable) throw new PermanentError(message, code);
    throw Object.assign(new Error(message), { code });
  }
}
