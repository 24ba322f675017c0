import { fork } from 'node:child_process';
import { once } from 'node:events';

const PROCESSES = 2;
const WORKERS_EACH = 4;

/**
 * Eight workers in two processes doing one job of `worker.mjs`; what each process answered.
 *
 * @param {object} job `job` names it
 */
export async function crew(job) {
  const children = Array.from({ length: PROCESSES }, (_, i) => {
    const child = fork(new URL('worker.mjs', import.meta.url));
    const exited = once(child, 'exit').then(([code]) => {
      throw new Error(`a process of workers ended with code ${code}`);
    });
    const answered = Promise.race([once(child, 'message'), exited]);
    child.send({ ...job, name: `process-${i}`, workers: WORKERS_EACH });
    return { child, answered };
  });
  return Promise.all(
    children.map(async ({ child, answered }) => {
      const [answer] = await answered;
      child.disconnect();
      return answer;
    }),
  );
}
