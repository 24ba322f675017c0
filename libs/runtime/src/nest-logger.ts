import type { LoggerService } from '@nestjs/common';
import type { Logger } from './log.js';

/** Lets Nest write its own lines through the process' logger: `app.useLogger(new NestLogger(log))`. */
export class NestLogger implements LoggerService {
  constructor(private readonly logger: Logger) {}

  log(message: unknown, ...rest: unknown[]): void {
    this.write('info', message, rest);
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.write('error', message, rest);
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.write('warn', message, rest);
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, rest);
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    this.write('trace', message, rest);
  }

  fatal(message: unknown, ...rest: unknown[]): void {
    this.write('fatal', message, rest);
  }

  // Nest passes (message, ...more, context) and, for errors, (message, stack, context) with any of the latter missing.
  private write(
    level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal',
    message: unknown,
    rest: unknown[],
  ): void {
    const words = rest.filter((item): item is string => typeof item === 'string');
    const stack = words.find(looksLikeStack);
    const context = words.findLast((word) => word !== stack);
    const err = [message, ...rest].find((item) => item instanceof Error);
    const details = rest.filter((item) => item !== undefined && item !== err && typeof item !== 'string');
    const fields: Record<string, unknown> = {
      ...(context !== undefined && { context }),
      ...(stack !== undefined && { stack }),
      ...(err !== undefined && { err }),
      ...(details.length > 0 && { details: details.length === 1 ? details[0] : details }),
    };
    if (typeof message === 'string') return this.logger[level](fields, message);
    if (message instanceof Error) return this.logger[level](fields, message.message);
    this.logger[level]({ ...fields, message }, 'message from Nest');
  }
}

function looksLikeStack(text: string): boolean {
  return /\n\s+at /.test(text);
}
