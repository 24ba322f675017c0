/** Why the API closes a socket, beside what RFC 6455 has for frames that are wrong. */
export const CLOSE_CODES = {
  restart: [1012, 'This process is shutting down; connect again.'],
  binary: [1003, 'Messages are text.'],
  replaced: [4409, 'The worker has registered on another connection.'],
} as const satisfies Record<string, readonly [number, string]>;
