import { IsBoolean, IsInt, IsOptional, IsString, Max, MaxLength, Min } from 'class-validator';
import { LIMITS, PermanentError, SLOW_DOWN_MS_MIN, SlowDown, type HandlerContext } from '@app/queue';
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

  /** Instead of failing: its queue starts nothing for so long, in ms, and then this task again, until it is cancelled. */
  @IsOptional()
  @IsInt()
  @Min(SLOW_DOWN_MS_MIN)
  @Max(LIMITS.retryAfterMsMax)
  slowDownMs?: number;
}

/** Fails, for as often as it is told to: for trying out retries, the dead-letter queue, and slowing a queue down. */
@Handler({ type: 'demo.fail', payload: DemoFailPayload })
export class DemoFailHandler implements TaskHandler<DemoFailPayload> {
  run(
    {
      message = 'This task fails on purpose.',
      code = 'demo',
      retryable = true,
      times,
      slowDownMs,
    }: DemoFailPayload,
    { attempt }: HandlerContext,
  ): { attempt: number } {
    if (times !== undefined && attempt > times) return { attempt };
    if (slowDownMs !== undefined) throw new SlowDown(message, slowDownMs);
    if (!retryable) throw new PermanentError(message, code);
    throw Object.assign(new Error(message), { code });
  }
}
