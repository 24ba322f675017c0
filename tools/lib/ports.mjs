import { createServer } from 'node:net';

/** Whether a server could listen there now. */
export async function isPortFree(port, host = '127.0.0.1') {
  return (await tryListen(port, host)) !== undefined;
}

/** The preferred port if it is free, else any free one. */
export async function freePort(preferred = 0, host = '127.0.0.1') {
  return (await tryListen(preferred, host)) ?? (await tryListen(0, host));
}

function tryListen(port, host) {
  return new Promise((resolve) => {
    const server = createServer();
    // Any other error, such as a host that is not ours, is for the program to report that will really listen.
    server.once('error', (error) => resolve(error.code === 'EADDRINUSE' ? undefined : port));
    server.listen({ port, host, exclusive: true }, () => {
      const { port: actual } = server.address();
      server.close(() => resolve(actual));
    });
  });
}
