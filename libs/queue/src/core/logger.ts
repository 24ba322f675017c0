/** A subset of pino's and console's. */
export interface Logger {
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}
