import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, getSchemaPath, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { NDJSON } from './body-parsers.js';

/** The OpenAPI 3.1 document of the application, from its controllers and DTOs. */
export function describeApi(app: INestApplication): OpenAPIObject {
  const document = createDocument(app);
  describeLines(document);
  return document;
}

/** The schemas of these classes, and of all that they refer to, by name. */
export function schemasOf(
  app: INestApplication,
  models: readonly (new () => object)[],
): Record<string, object> {
  const all = createDocument(app, models).components?.schemas ?? {};
  const found = new Map<string, object>();
  const find = (name: string): void => {
    if (found.has(name)) return;
    found.set(name, all[name] ?? {});
    for (const [, other] of JSON.stringify(all[name]).matchAll(/"#\/components\/schemas\/(\w+)"/g))
      find(other!);
  };
  for (const { name } of models) find(name);
  return Object.fromEntries([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function createDocument(
  app: INestApplication,
  extraModels: readonly (new () => object)[] = [],
): OpenAPIObject {
  const config = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Fairlane')
    .setDescription(DESCRIPTION)
    .setVersion('1')
    .setLicense('MIT', 'https://opensource.org/license/mit')
    .addServer('/', 'Where this document came from')
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'A key of FAIRLANE_API_KEYS.' })
    .addTag('tasks', 'Submit tasks, follow them, operate on them.')
    .addTag('leases', 'Work in any language: take tasks, say how they go, settle them.')
    .addTag('workers', 'Who works, and what is wanted of them.')
    .addTag('socket', 'The same over one connection, with tasks assigned as they come.')
    .addTag('queues', 'What waits where, and what holds for it.')
    .addTag('events', 'Hear what happens as it happens.')
    .addTag('stats', 'Sums over everything.')
    .addTag('info', 'What this service is and can do.')
    .addTag('health', 'For orchestrators and load balancers.')
    .addTag('metrics', 'For Prometheus.')
    .build();
  const document = SwaggerModule.createDocument(app, config, { extraModels: [...extraModels] });
  refuseUnknownFields(document);
  return document;
}

/** What every DTO does, and its decorators cannot say. */
function refuseUnknownFields({ components }: OpenAPIObject): void {
  for (const [name, schema] of Object.entries(components?.schemas ?? {})) {
    if (name.endsWith('Dto') && !('$ref' in schema)) schema.additionalProperties = false;
  }
}

/** `@ApiBody` has one schema for all content types. */
function describeLines({ paths }: OpenAPIObject): void {
  const body = paths['/v1/tasks/batch']?.post?.requestBody;
  if (body && 'content' in body) body.content[NDJSON] = { schema: { $ref: getSchemaPath('SubmitTaskDto') } };
}

const DESCRIPTION = `A task-queue service over Redis: post tasks, workers execute them fairly, nothing accepted is lost.

- Times are RFC 3339 in UTC. Lengths of time in requests are integer milliseconds or strings such as "500ms", "30s", "5m", "24h", "7d"; in answers they are integer milliseconds and their names end in \`Ms\`.
- Unknown fields are refused by name. JSON is nested at most 64 levels deep, and numbers must be exact as IEEE 754 doubles; send larger integers as strings.
- Errors are problem documents (RFC 9457). \`type\` and \`code\` are stable. 400: the request cannot be read (syntax, depth, forbidden keys). 422: it can be read, and \`errors\` lists everything that is wrong in it. Beside what each operation names, any request can be answered 404 or 405 (no such resource or method), 408 (it did not arrive in time), 414 or 431 (URL or headers too large).
- 429 means that a limit which an operator set is reached: the same request may pass after \`Retry-After\` seconds, or \`retryAfterMs\` in the answer.
- 503 means that the store did not answer in time or is full. Whether a request took effect is then unknown: repeat it after \`Retry-After\` seconds with the same \`id\` or \`Idempotency-Key\`.`;
