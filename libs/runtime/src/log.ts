import { pino, type DestinationStream, type Logger as PinoLogger } from 'pino';
import type { ProcessSettings } from './config/process.js';
import { serializeError } from './serialize-error.js';

export type Logger = PinoLogger;

export interface LoggerOptions {
  /** Which process speaks; stands in every line as `name`. */
  readonly name: string;
  /** Default: `info`. */
  readonly level?: ProcessSettings['logLevel'];
  /** Default: standard output, written at once, so that a crash loses no line. */
  readonly destination?: DestinationStream;
}

/**
 * A logger that writes one JSON object per line: `level` as a word, `time` as RFC 3339 in UTC, `name`, `pid`,
 * `hostname`, `msg`. Credentials in known places are replaced by `[hidden]`; errors are reduced to type, message, code,
 * stack and cause.
 */
export function createLogger({ name, level = 'info', destination }: LoggerOptions): Logger {
  return pino(
    {
      name,
      level,
      redact: { paths: secretPaths, censor: '[hidden]' },
      serializers: { err: serializeError, error: serializeError },
      formatters: { level: (label) => ({ level: label }) },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
    },
    destination ?? standardOutput(),
  );
}

// pino's own default writes later and, when the reader of the pipe is gone, retries for ever as the process exits.
function standardOutput(): DestinationStream {
  return pino.destination({ dest: process.stdout.fd ?? 1, sync: true });
}

const secretFields = [
  'authorization',
  'cookie',
  '["set-cookie"]',
  'password',
  'apiKey',
  'token',
  'leaseToken',
  'secret',
];

// pino redacts paths, not names, so each field is listed for the depths at which the code logs objects:
// { password }, { redis: { password } }, { req: { headers: { authorization } } }.
const secretPaths = ['', '*.', '*.*.'].flatMap((parent) =>
  secretFields.map((field) => (field.startsWith('[') ? parent.replace(/\.$/, '') + field : parent + field)),
);
