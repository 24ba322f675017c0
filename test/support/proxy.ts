import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A way to a server of this machine on which answers get lost. */
export interface Proxy {
  readonly url: string;
  /** First lines of what was asked. */
  readonly requests: readonly string[];
  /** Cuts the client off instead of answering its next request whose head matches. Resolves once the server has answered. */
  loseAnswer(request: RegExp): Promise<void>;
  /** The same, but the client gets all of the answer except its last 20 bytes. */
  breakAnswer(request: RegExp): Promise<void>;
  /** The same, but the client goes on waiting. */
  holdAnswer(request: RegExp): Promise<void>;
  /** Cuts the client off whenever the head of its request matches, before the server hears of it. Until what this returns is called. */
  refuse(request: RegExp): () => void;
  /** Lets nothing that the server says pass over the connections there are. */
  mute(): void;
  /** Breaks all connections there are. */
  cut(): void;
  cleanup(): Promise<void>;
}

interface Loss {
  request: RegExp;
  how: 'cut' | 'break' | 'hold';
  done(): void;
}

export async function startProxy(port: number): Promise<Proxy> {
  const losses = new Set<Loss>();
  const refused = new Set<RegExp>();
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const muted = new WeakSet<Socket>();
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    let loss: Loss | undefined;
    client.on('data', (bytes) => {
      const text = bytes.toString('latin1');
      requests.push(...(text.match(/^[A-Z]+ \/.* HTTP\/1.1$/m) ?? []));
      if ([...refused].some((request) => request.test(text))) return void client.destroy();
      loss ??= [...losses].find(({ request }) => request.test(text));
      if (loss) losses.delete(loss);
      upstream.write(bytes);
    });
    upstream.on('data', (bytes) => {
      if (muted.has(client)) return;
      if (!loss) return void client.write(bytes);
      // The server goes on believing that its answer arrived.
      if (loss.how === 'cut') client.destroy();
      if (loss.how === 'break') client.end(bytes.subarray(0, -20));
      loss.done();
    });
    client.on('close', () => (loss && loss.how !== 'hold') || upstream.destroy());
    upstream.on('close', () => client.destroy());
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    }
  });
  const cutAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const lose = (request: RegExp, how: Loss['how']) =>
    new Promise<void>((done) => losses.add({ request, how, done }));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    loseAnswer: (request) => lose(request, 'cut'),
    breakAnswer: (request) => lose(request, 'break'),
    holdAnswer: (request) => lose(request, 'hold'),
    refuse(request) {
      refused.add(request);
      return () => void refused.delete(request);
    },
    mute: () => sockets.forEach((socket) => muted.add(socket)),
    cut: cutAll,
    async cleanup() {
      cutAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
