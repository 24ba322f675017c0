import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type Answer, post } from './client.js';

interface Lease {
  items: { id: string; leaseToken: string }[];
}

/** Many workers that take tasks over HTTP as the protocol page tells them to, and count what they execute. */
export class Crew {
  /** How often each task was begun. */
  readonly executions = new Map<string, number>();
  /** The codes of all answers after which something was repeated, and `no answer`. */
  readonly refusals = new Set<string>();
  #stopped = false;

  constructor(
    private readonly apiUrl: string,
    private readonly queue: string,
  ) {}

  /** Resolves when all have stopped. */
  async work(size: number): Promise<void> {
    await Promise.all(Array.from({ length: size }, (_, n) => this.one(`worker-${n}`)));
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Resolves once so many tasks have been begun. */
  async executed(count: number): Promise<void> {
    while (this.executions.size < count) await delay(5);
  }

  /** Sends the same request until it is answered with something else than a request to repeat it. */
  async insist<Body>(path: string, body: object): Promise<Answer<Body>> {
    for (;;) {
      const answer = await post<Body>(this.apiUrl + path, body).catch(() => undefined);
      if (answer && answer.status < 500) return answer;
      this.refusals.add(answer ? (answer.body as { code: string }).code : 'no answer');
      await delay(answer ? Number(answer.headers.get('retry-after')) * 1_000 : 50);
    }
  }

  private async one(workerId: string): Promise<void> {
    while (!this.#stopped) {
      const terms = { workerId, max: 2, wait: '2s', requestId: randomBytes(16).toString('hex') };
      const { body } = await this.insist<Lease | undefined>(`/v1/queues/${this.queue}/lease`, terms);
      for (const { id, leaseToken } of body?.items ?? []) {
        this.executions.set(id, (this.executions.get(id) ?? 0) + 1);
        await this.insist(`/v1/tasks/${id}/complete`, { leaseToken });
      }
    }
  }
}
