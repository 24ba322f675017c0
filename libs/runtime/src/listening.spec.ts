import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { listening } from './listening.js';

function listen(port: number, host: string): Promise<number> {
  const server = createServer().listen(port, host);
  return Promise.race([
    once(server, 'listening').then(() => (server.address() as AddressInfo).port),
    once(server, 'error').then(([error]) => Promise.reject(error as Error)),
  ]).finally(() => server.close());
}

const names = { hostEnv: 'HOST', portEnv: 'PORT' };

test('a server that listens answers as it did', async () => {
  expect(await listening(listen(0, '127.0.0.1'), { ...names, host: '127.0.0.1', port: 0 })).toBeGreaterThan(
    0,
  );
});

test('a port that is taken is named', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const taken = listening(listen(port, '127.0.0.1'), { ...names, host: '127.0.0.1', port });
  await expect(taken).rejects.toThrow(`PORT=${port} on HOST=127.0.0.1 is taken by another program.`);
  other.close();
});

test('an address of another machine is a fault of the configuration', async () => {
  const elsewhere = listening(listen(0, '192.0.2.1'), { ...names, host: '192.0.2.1', port: 0 });
  await expect(elsewhere).rejects.toMatchObject({
    problems: [{ env: 'HOST', message: expect.stringContaining('192.0.2.1') }],
  });
});
