import { setTimeout as delay } from 'node:timers/promises';
import { IsInt, Max, Min } from 'class-validator';
import type { HandlerContext } from '@app/queue';
import { Handler, type TaskHandler } from './handler.js';

export class DemoSleepPayload {
  /** How long, in ms; at most an hour. */
  @IsInt()
  @Min(0)
  @Max(3_600_000)
  ms!: number;
}

/** Takes its time and says how far it is: for trying out timeouts, cancelling, and losing workers. */
@Handler({ type: 'demo.sleep', payload: DemoSleepPayload, timeoutMs: 3_660_000 })
export class DemoSleepHandler implements TaskHandler<DemoSleepPayload> {
  async run(
    { ms }: DemoSleepPayload,
    { signal, progress, log }: HandlerContext,
  ): Promise<{ sleptMs: number }> {
    log(`sleeping for ${ms} ms`);
    const startedAtMs = performance.now();
    const elapsedMs = (): number => Math.round(performance.now() - startedAtMs);
    while (elapsedMs() < ms) {
      progress({ percent: Math.floor((100 * elapsedMs()) / ms) });
      await delay(Math.min(1_000, ms - elapsedMs()), undefined, { signal });
    }
    progress({ percent: 100 });
    return { sleptMs: elapsedMs() };
  }
}
