import { setTimeout as delay } from 'node:timers/promises';

/** The API says no, and would say it again. */
export class Refused extends Error {
  /** @param {{status: number, code?: string, title?: string, detail?: string}} problem */
  constructor({ status, code = 'refused', title = '', detail = title }) {
    super(`${status} ${code}: ${detail}`);
    this.status = status;
  }
}

/** The API over HTTP. */
export class Api {
  #url;
  /** What every request carries. */
  headers;

  constructor({ url, apiKey }) {
    this.#url = url;
    this.headers = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
  }

  get socketUrl() {
    return `${this.#url.replace(/^http/, 'ws')}/v1/ws`;
  }

  /** One try. @throws Refused, or any other error where nobody knows what happened */
  async send(method, path, body, { timeoutMs = 10_000, signal } = {}) {
    const answer = await fetch(this.#url + path, {
      method,
      headers: { ...this.headers, ...(body && { 'content-type': 'application/json' }) },
      body: body && JSON.stringify(body),
      signal: AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(signal ? [signal] : [])]),
    });
    const text = await answer.text();
    if (answer.ok) return text === '' ? undefined : JSON.parse(text);
    if (answer.status < 500 && ![408, 429].includes(answer.status))
      throw new Refused(problemOf(answer, text));
    await delay(Number(answer.headers.get('retry-after') ?? 0) * 1_000, undefined, { signal });
    throw new Error(`answered ${answer.status}`);
  }

  /** Sends the same request until it is answered, or the signal says that there is no need any more. */
  async insist(method, path, body, { timeoutMs, signal } = {}) {
    for (;;) {
      try {
        return await this.send(method, path, body, { timeoutMs, signal });
      } catch (error) {
        if (error instanceof Refused || signal?.aborted) throw error;
        await delay(500 + Math.random() * 500, undefined, { signal });
      }
    }
  }
}

/** Something else than the API, a proxy perhaps, answers without a problem document. */
function problemOf({ status, headers, statusText }, text) {
  const isProblem = headers.get('content-type')?.startsWith('application/problem+json');
  return isProblem ? JSON.parse(text) : { status, title: statusText };
}
