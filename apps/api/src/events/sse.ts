/*
 * Server-sent events as the HTML standard frames them. What is sent has no line breaks of its own: names are ours, and
 * JSON.stringify escapes them.
 */

/** One event. With an `id`, that is where a client goes on that loses its connection after it. */
export function frame(name: string, data: unknown, id?: string): string {
  return `event: ${name}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;
}

/** No event, but a client remembers the `id`. */
export function mark(id: string): string {
  return `id: ${id}\n\n`;
}

/** What a stream begins with: how long a client that loses its connection waits before it comes back. */
export function preamble(retryMs: number): string {
  return `retry: ${retryMs}\n\n`;
}

/** No event either: keeps proxies from taking the connection for dead. */
export const KEEP_ALIVE = ':\n\n';

export const EVENT_STREAM = 'text/event-stream';
