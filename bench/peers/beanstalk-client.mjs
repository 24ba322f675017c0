import { once } from 'node:events';
import { connect } from 'node:net';

const TTR_SECONDS = 120;

/** As much of beanstalkd's protocol as is needed. Commands of one event-loop turn leave in one write. */
export class BeanstalkClient {
  #socket;
  #waiting = [];
  #outgoing = '';
  #incoming = Buffer.alloc(0);

  static async connect(port) {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return new BeanstalkClient(socket);
  }

  constructor(socket) {
    this.#socket = socket;
    socket.on('data', (bytes) => this.#read(bytes));
    socket.on('error', (error) => this.#waiting.splice(0).forEach(({ reject }) => reject(error)));
  }

  /** Stores a job that may run now. */
  async put(body) {
    const { words } = await this.#ask(`put 0 0 ${TTR_SECONDS} ${Buffer.byteLength(body)}\r\n${body}\r\n`);
    if (words[0] !== 'INSERTED') throw new Error(`put was answered ${words.join(' ')}`);
  }

  /** The next job; `undefined` where there was none for so long. Default: waits for ever. */
  async reserve(timeoutSeconds) {
    const command = timeoutSeconds === undefined ? 'reserve' : `reserve-with-timeout ${timeoutSeconds}`;
    const { words, body } = await this.#ask(`${command}\r\n`);
    return words[0] === 'RESERVED' ? { id: words[1], body } : undefined;
  }

  async delete(id) {
    const { words } = await this.#ask(`delete ${id}\r\n`);
    if (words[0] !== 'DELETED') throw new Error(`delete was answered ${words.join(' ')}`);
  }

  close() {
    this.#socket.destroy();
  }

  #ask(command) {
    if (this.#outgoing === '') {
      setImmediate(() => {
        this.#socket.write(this.#outgoing);
        this.#outgoing = '';
      });
    }
    this.#outgoing += command;
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  #read(bytes) {
    const all = this.#incoming.length === 0 ? bytes : Buffer.concat([this.#incoming, bytes]);
    let at = 0;
    for (let end = all.indexOf('\r\n', at); end >= 0; end = all.indexOf('\r\n', at)) {
      const words = all.latin1Slice(at, end).split(' ');
      const bodyAt = end + 2;
      const next = words[0] === 'RESERVED' ? bodyAt + Number(words[2]) + 2 : bodyAt;
      if (next > all.length) break;
      this.#waiting.shift().resolve({ words, body: all.subarray(bodyAt, Math.max(bodyAt, next - 2)) });
      at = next;
    }
    this.#incoming = all.subarray(at);
  }
}
