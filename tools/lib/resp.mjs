import { connect } from 'node:net';

/**
 * Asks a Redis server one thing and gives the raw reply (`+PONG`, `-LOADING …`, a bulk string with its length line), or
 * undefined when nobody answers in time. Enough to see whether a server is up before any client library is installed.
 */
export function askRedis(port, words, { host = '127.0.0.1', timeoutMs = 1_000 } = {}) {
  return new Promise((resolve) => {
    let reply = '';
    const socket = connect(port, host);
    const finish = (result) => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(timeoutMs, () => finish(undefined));
    socket.on('error', () => finish(undefined)).on('close', () => resolve(undefined));
    socket.setEncoding('utf8').on('data', (chunk) => {
      reply += chunk;
      if (isComplete(reply)) finish(reply);
    });
    socket.write(
      `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`,
    );
  });
}

function isComplete(reply) {
  const lineEnd = reply.indexOf('\r\n');
  if (lineEnd < 0) return false;
  return reply[0] !== '$' || Buffer.byteLength(reply) >= lineEnd + 4 + Number(reply.slice(1, lineEnd));
}
