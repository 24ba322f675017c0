import { ConfigError } from './config/config-error.js';

/** An address to listen on, and the variables it came from. */
export interface ListenAddress {
  readonly host: string;
  readonly hostEnv: string;
  readonly port: number;
  readonly portEnv: string;
}

/**
 * Waits for a server that begins to listen, and says in the operator's terms why it cannot.
 *
 * @throws ConfigError where the address can never work; Error where another program has it, which may pass
 */
export async function listening<T>(listen: Promise<T>, address: ListenAddress): Promise<T> {
  const { host, hostEnv, port, portEnv } = address;
  try {
    return await listen;
  } catch (cause) {
    switch ((cause as NodeJS.ErrnoException).code) {
      case 'EADDRINUSE':
        throw new Error(`${portEnv}=${port} on ${hostEnv}=${host} is taken by another program.`, { cause });
      case 'EACCES':
        throw new ConfigError([
          { env: portEnv, message: `${portEnv}=${port}: this user may not listen there` },
        ]);
      case 'EADDRNOTAVAIL':
      case 'ENOTFOUND':
      case 'EAI_AGAIN':
        throw new ConfigError([
          { env: hostEnv, message: `${hostEnv}="${host}": not an address of this machine` },
        ]);
      default:
        throw cause;
    }
  }
}
