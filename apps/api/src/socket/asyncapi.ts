import type { INestApplication } from '@nestjs/common';
import { getSchemaPath } from '@nestjs/swagger';
import { schemasOf } from '../http/openapi.js';
import { Problem } from '../http/problem.js';
import { ProblemView } from '../http/problem.view.js';
import { AssignedView } from './assigned.view.js';
import { LEASE, TASK } from './examples.js';
import { EventMessageView } from './event.view.js';
import type { MessageKind, MessageType } from './message-type.js';
import { MessageTypes } from './message-types.js';
import { ToldView } from './told.view.js';

/** The AsyncAPI 3.0 document of the socket, from the same classes that check its messages. */
export function describeSocket(app: INestApplication): object {
  const types = app.get(MessageTypes).all;
  const answers = [...new Map(types.map(({ answer }) => [answer.type, answer])).values()];
  const sent = [...answers, PROBLEM, ...UNASKED];
  const messages = {
    ...Object.fromEntries(types.map((type) => [type.type, describeRequest(type)])),
    ...Object.fromEntries(sent.map((kind) => [kind.type, describeSent(kind, exampleOf(kind, types))])),
  };
  const models = [...types.map(({ dto }) => dto), ...sent.flatMap(({ view }) => view ?? [])];
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Fairlane',
      version: '1',
      description: DESCRIPTION,
      license: { name: 'MIT', url: 'https://opensource.org/license/mit' },
    },
    defaultContentType: 'application/json',
    channels: {
      socket: {
        address: '/v1/ws',
        title: 'The socket',
        description: 'A WebSocket, opened with the API key of HTTP requests. Each text frame is one message.',
        messages: Object.fromEntries(
          Object.keys(messages).map((name) => [name, { $ref: `#/components/messages/${name}` }]),
        ),
      },
    },
    operations: {
      ...Object.fromEntries(types.map((type) => [type.type, describeOperation(type)])),
      ...Object.fromEntries(UNASKED.map((kind) => [kind.type, describeSending(kind)])),
    },
    components: {
      messages,
      schemas: schemasOf(app, models),
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'A key of FAIRLANE_API_KEYS.' },
      },
    },
  };
}

/** What is sent without being an answer. */
const UNASKED: readonly (MessageKind & { example: object; requestId?: string })[] = [
  {
    type: 'event',
    view: EventMessageView,
    description:
      'Something that happened to what is followed, with the `requestId` of the message that asked for it.',
    example: {
      name: 'state',
      data: {
        id: 'emails~order-42',
        queue: 'emails',
        at: '2026-01-31T12:00:00.000Z',
        attempt: 1,
        state: 'running',
        type: 'email.send',
        tenant: 'default',
      },
      position: '1769860800000-0',
    },
    requestId: '7',
  },
  {
    type: 'assigned',
    view: AssignedView,
    description:
      'Tasks for the worker of this connection, within its credit: `running`, and its own until their leases run out, whatever becomes of the connection.',
    example: { number: 1, items: [leased()] },
  },
  {
    type: 'told',
    view: ToldView,
    description:
      'What an operator wants of the worker has changed. Nothing is assigned while there is a command.',
    example: { command: 'quiet' },
  },
];

const PROBLEM: MessageKind = {
  type: 'problem',
  view: ProblemView,
  description:
    'A message was refused, and has changed nothing unless the problem is one of status 500 or above: then that is unknown. Pointers lead into its `body`. Without `requestId` it is that of a message without one, or of one that could not be read.',
};

const CHANNEL = { $ref: '#/channels/socket' };

function describeOperation({ type, summary, description, answer, problems }: MessageType): object {
  const codes = problems.map((code) => `\`${code}\``).join(', ') || 'none';
  return {
    action: 'receive',
    channel: CHANNEL,
    summary,
    description: `${description}\n\nProblems beside those of any message: ${codes}.`,
    messages: [inChannel(type)],
    reply: { channel: CHANNEL, messages: [inChannel(answer.type), inChannel(PROBLEM.type)] },
  };
}

function describeSending({ type, description }: MessageKind): object {
  return { action: 'send', channel: CHANNEL, summary: description, messages: [inChannel(type)] };
}

function describeRequest({ type, summary, dto, example }: MessageType): object {
  return {
    name: type,
    title: type,
    summary,
    correlationId: CORRELATION,
    payload: envelope(type, { $ref: getSchemaPath(dto) }, true),
    examples: [{ name: type, payload: { type, requestId: '1', body: example.body } }],
  };
}

function describeSent({ type, view, description }: MessageKind, body: object): object {
  const unasked = UNASKED.find((kind) => kind.type === type);
  const requestId = unasked ? unasked.requestId : '1';
  const hasId = requestId !== undefined;
  return {
    name: type,
    title: type,
    summary: description,
    ...(hasId && { correlationId: CORRELATION }),
    payload: envelope(type, view ? { $ref: getSchemaPath(view) } : { type: 'object' }, hasId),
    examples: [{ name: type, payload: { type, ...(hasId && { requestId }), body } }],
  };
}

const CORRELATION = {
  description: 'As the client chose it, returned with the answer.',
  location: '$message.payload#/requestId',
};

function envelope(type: string, body: object, isAnswered: boolean): object {
  return {
    type: 'object',
    required: ['type', 'body'],
    additionalProperties: false,
    properties: {
      type: { const: type, description: 'The kind of message.' },
      ...(isAnswered && {
        requestId: {
          type: 'string',
          minLength: 1,
          maxLength: 128,
          description: 'Chosen by the client. A message without it is answered only where it is refused.',
        },
      }),
      body,
    },
  };
}

function inChannel(type: string): object {
  return { $ref: `#/channels/socket/messages/${type}` };
}

function exampleOf({ type }: MessageKind, types: readonly MessageType[]): object {
  if (type === PROBLEM.type)
    return JSON.parse(JSON.stringify(new Problem('not-registered').body())) as object;
  const unasked = UNASKED.find((kind) => kind.type === type);
  if (unasked) return unasked.example;
  return types.find(({ answer }) => answer.type === type)?.example.answer ?? {};
}

function leased(): object {
  const { state: _, cancelRequested: __, ...task } = TASK;
  return { ...task, ...LEASE, attempt: 1, leaseExpiresAt: '2026-01-31T12:00:30.000Z' };
}

const DESCRIPTION = `The queue over one WebSocket: clients submit and follow tasks, workers get them assigned and settle them. What a message means is what the request over HTTP means that its description names; bodies, limits and problems are the same.

- Every message is \`{type, requestId?, body}\`. Each one that a client sends is answered once, with its \`requestId\`: by the result, or by a \`problem\`. Without \`requestId\` only a problem is answered.
- Messages are carried out side by side; whoever needs an order waits for the answer.
- Close codes: 1003 a frame is binary, 1007 it is not UTF-8, 1009 it is longer than 16 MiB, 1012 the process shuts down (connect again), 4409 the worker has registered on another connection. A client that answers no ping, or does not read, is cut without a code.`;
