import { fork } from 'node:child_process';
import { once } from 'node:events';

/**
 * Starts a client of one of the systems in `bench/peers`, in a process of its own, so that none is measured with what the
 * others left behind. `call` runs a method of `client-process.mjs` there.
 *
 * @param {string} system @param {{port?: number, url?: string}} store where its store is, or its service
 */
export async function startClient(system, { port, url }) {
  const script = new URL('../peers/client-process.mjs', import.meta.url);
  const child = fork(script, [system, JSON.stringify({ port, url })], { serialization: 'advanced' });
  const exited = once(child, 'exit');
  const died = exited.then(([code]) => {
    throw new Error(`the client of ${system} ended with code ${code}`);
  });
  died.catch(() => undefined);
  const waiting = new Map();
  child.on('message', ({ id, result, error }) => {
    const call = waiting.get(id);
    waiting.delete(id);
    if (error) call?.reject(new Error(`${system}: ${error}`));
    else call?.resolve(result);
  });
  await Promise.race([once(child, 'message'), died]);
  let calls = 0;
  return {
    call(method, options) {
      const id = ++calls;
      const answer = new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
      child.send({ id, method, options });
      return Promise.race([answer, died]);
    },
    async stop() {
      await this.call('close');
      child.disconnect();
      await exited;
    },
  };
}
