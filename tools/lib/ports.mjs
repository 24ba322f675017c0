import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Where a free port is looked for: below those that Linux gives to outgoing connections (32768 and up), of which suites that
 * run beside each other make many: one took a port between its choice and its use, or while its server was restarted.
 */
const [FIRST, LAST] = [20_000, 32_000];

/** Whether a server could listen there now. */
export function isPortFree(port, host = '127.0.0.1') {
  return new Promise((resolve) => {
    const server = createServer();
    // Any other error, such as a host that is not ours, is for the program to report that will really listen.
    server.once('error', (error) => resolve(error.code !== 'EADDRINUSE'));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** The preferred port if it is free, else any free one. */
export async function freePort(preferred = randomInt(FIRST, LAST), host = '127.0.0.1') {
  return (await isPortFree(preferred, host)) ? preferred : freePort(undefined, host);
}
