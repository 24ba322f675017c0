import { isIP } from 'node:net';
import { defineSettings, duration, integer, list, oneOf, port, string, type SettingsOf } from '@app/runtime';

/** What the API process reads from its environment beside what every process does. */
export const apiSettings = defineSettings(
  'API',
  {
    host: string(
      {},
      {
        env: 'HOST',
        description: 'Address to listen on. Elsewhere than on loopback an API key is needed.',
        default: '127.0.0.1',
      },
    ),
    port: port({ env: 'PORT', description: 'Port to listen on.', default: 3000 }),
    apiKeys: list(
      {
        pattern: /[!-+\--~]{16,200}/,
        expected: 'a comma-separated list of keys of 16 to 200 printable ASCII characters without spaces',
      },
      {
        env: 'FAIRLANE_API_KEYS',
        description: 'Bearer keys of which every request must carry one. None: no key is asked for.',
        default: [],
        secret: true,
      },
    ),
    auth: oneOf(['on', 'off'], {
      env: 'FAIRLANE_AUTH',
      description: 'off: anybody who can connect may do anything, wherever the API listens.',
      default: 'on',
    }),
    requestTimeoutMs: duration(
      { minMs: 100, maxMs: 3_600_000 },
      {
        env: 'FAIRLANE_REQUEST_TIMEOUT',
        description: 'How long the body of a request may take to arrive, or pause while it is streamed.',
        default: 30_000,
      },
    ),
    followersMax: integer(
      { min: 0, max: 1_000_000 },
      {
        env: 'FAIRLANE_FOLLOWERS_MAX',
        description:
          'How many streams of events may be open at a time; each is a connection, and so an open file.',
        default: 10_000,
      },
    ),
    socketsMax: integer(
      { min: 1, max: 1_000_000 },
      {
        env: 'FAIRLANE_SOCKETS_MAX',
        description: 'WebSockets open at a time; further ones are refused with 503.',
        default: 5_000,
      },
    ),
    socketPingMs: duration(
      { minMs: 100, maxMs: 3_600_000 },
      {
        env: 'FAIRLANE_SOCKET_PING',
        description: 'How often WebSockets are pinged. One that is silent for two of these is cut.',
        default: 15_000,
      },
    ),
    shutdownTimeoutMs: duration(
      { minMs: 0 },
      {
        env: 'FAIRLANE_SHUTDOWN_TIMEOUT',
        description: 'How long requests in flight may take to end before the process exits anyway.',
        default: 30_000,
      },
    ),
  },
  ({ host, apiKeys, auth }) => {
    if (isLoopback(host) || apiKeys.length > 0 || auth === 'off') return [];
    return [
      {
        env: 'HOST',
        message: `HOST=${JSON.stringify(host)} is not loopback, so FAIRLANE_API_KEYS must hold at least one key (or say FAIRLANE_AUTH=off, and anybody may do anything)`,
      },
    ];
  },
);

export type ApiSettings = SettingsOf<typeof apiSettings>;

/** Keys to ask for; none where authentication is off. */
export function requiredKeys({ auth, apiKeys }: Pick<ApiSettings, 'auth' | 'apiKeys'>): readonly string[] {
  return auth === 'off' ? [] : apiKeys;
}

/** Whether only this machine can connect to the address. A name other than localhost could be anything. */
export function isLoopback(host: string): boolean {
  if (isIP(host) === 4) return host.startsWith('127.');
  return host === '::1' || host.toLowerCase() === 'localhost';
}
