import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../tools/lib/root.mjs';

interface Reference {
  $ref: string;
}
interface Operation {
  action: 'send' | 'receive';
  summary: string;
  description?: string;
  messages: Reference[];
  reply?: { messages: Reference[] };
}
interface Document {
  operations: Record<string, Operation>;
  components: { messages: Record<string, { summary: string; examples: { payload: object }[] }> };
}

/** The messages of the socket as markdown, from the committed AsyncAPI document. */
export function renderMessages(): string {
  const text = readFileSync(join(root, 'docs/api/asyncapi.json'), 'utf8');
  const { operations, components } = JSON.parse(text) as Document;
  const example = ({ $ref }: Reference) => {
    const { payload } = components.messages[$ref.split('/').at(-1)!]!.examples[0]!;
    return ['```json', JSON.stringify(payload, null, 2), '```', ''];
  };
  const show = ([name, { action, summary, description, messages, reply }]: [string, Operation]) => [
    `### ${name}`,
    '',
    action === 'send' ? `From the API. ${summary}` : `${summary}. ${description}`,
    '',
    ...messages.flatMap(example),
    ...(reply ? ['Answered with', '', ...example(reply.messages[0]!)] : []),
  ];
  const problem = components.messages['problem']!;
  return [
    ...Object.entries(operations).flatMap(show),
    '### problem',
    '',
    `From the API. ${problem.summary}`,
    '',
    ...example({ $ref: 'problem' }),
  ].join('\n');
}
