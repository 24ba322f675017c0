import { once } from 'node:events';
import { get, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';

/** One event of a stream, or what came in its place. */
export interface ReceivedEvent {
  event: string;
  id?: string;
  data: Record<string, unknown>;
}

export interface EventReader {
  response: { status: number; headers: IncomingHttpHeaders };
  /** The next event. Rejects when the stream ends before. */
  next(): Promise<ReceivedEvent>;
  /** The next ones, so many. */
  take(count: number): Promise<ReceivedEvent[]>;
  /** The first that matches; those before it are passed over. */
  find(matches: (event: ReceivedEvent) => boolean): Promise<ReceivedEvent>;
  /** All that come until the stream ends. */
  rest(): Promise<ReceivedEvent[]>;
  /** Where a client would go on. */
  lastEventId: string | undefined;
  leave(): void;
}

/** Follows a stream as a browser's EventSource does, but does not come back by itself. */
export async function follow(url: string, headers: Record<string, string> = {}): Promise<EventReader> {
  // A connection of its own, so that to leave is to close it.
  const request = get(url, { headers, agent: false });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const body = response.setEncoding('utf8')[Symbol.asyncIterator]() as AsyncIterator<string>;
  const received: ReceivedEvent[] = [];
  let text = '';
  const reader: EventReader = {
    response: { status: response.statusCode!, headers: response.headers },
    lastEventId: undefined,
    async next() {
      while (received.length === 0) {
        const { done, value } = await body.next();
        if (done) throw new Error('the stream has ended');
        text += String(value);
        const blocks = text.split('\n\n');
        text = blocks.pop()!;
        for (const block of blocks) parse(block);
      }
      return received.shift()!;
    },
    async take(count) {
      const events: ReceivedEvent[] = [];
      while (events.length < count) events.push(await reader.next());
      return events;
    },
    async find(matches) {
      for (;;) {
        const event = await reader.next();
        if (matches(event)) return event;
      }
    },
    async rest() {
      const events: ReceivedEvent[] = [];
      for (;;) {
        const event = await reader.next().catch((error: Error) => {
          if (error.message !== 'the stream has ended') throw error;
          return undefined;
        });
        if (!event) return events;
        events.push(event);
      }
    },
    leave: () => void request.destroy(),
  };
  function parse(block: string): void {
    const fields = new Map(
      block.split('\n').map((line) => {
        const at = line.indexOf(':');
        return [line.slice(0, at), line.slice(at + 1).trimStart()];
      }),
    );
    const id = fields.get('id');
    reader.lastEventId = id ?? reader.lastEventId;
    const data = fields.get('data');
    if (data === undefined) return;
    const event = {
      event: fields.get('event') ?? 'message',
      data: JSON.parse(data) as ReceivedEvent['data'],
    };
    received.push(id === undefined ? event : { ...event, id });
  }
  return reader;
}
