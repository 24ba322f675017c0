import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { Problem } from './problem.js';

/**
 * Serves documents by their paths, and Swagger UI for that at `/openapi.json` at `/docs`. Each document is made when somebody
 * asks for it first: to make them takes a sixth of a start. Not by `SwaggerModule.setup`: its page has inline scripts and styles,
 * which our policy forbids, and it needs one more package to send four files.
 */
export function serveDocs(instance: FastifyInstance, documents: Record<string, () => object>): void {
  for (const [path, describe] of Object.entries(documents)) {
    let text: string | undefined;
    instance.get(path, (_request, reply) => {
      text ??= JSON.stringify(describe());
      return reply.type('application/json; charset=utf-8').send(text);
    });
  }
  instance.get('/docs', (_request, reply) => html(reply).send(PAGE));
  instance.get<{ Params: { file: string } }>('/docs/:file', async ({ params: { file } }, reply) => {
    if (file === 'start.js') return reply.type('text/javascript; charset=utf-8').send(START);
    const type = ASSETS.get(file);
    if (!type) throw new Problem('route-not-found');
    reply.header('cache-control', 'public, max-age=3600').type(type);
    return reply.send(await readFile(join(assetsDir, file)));
  });
}

const ASSETS: ReadonlyMap<string, string> = new Map([
  ['swagger-ui.css', 'text/css; charset=utf-8'],
  ['swagger-ui-bundle.js', 'text/javascript; charset=utf-8'],
  ['favicon-32x32.png', 'image/png'],
]);

// Swagger UI comes with @nestjs/swagger, so it is looked for from there.
const assetsDir = dirname(
  createRequire(createRequire(import.meta.url).resolve('@nestjs/swagger')).resolve(
    'swagger-ui-dist/package.json',
  ),
);

// Addresses are relative, so that the page works behind a proxy that adds a path.
const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Fairlane API</title>
<link rel="icon" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
`;

const START = "SwaggerUIBundle({ url: 'openapi.json', dom_id: '#swagger-ui', deepLinking: true });\n";

function html(reply: FastifyReply): FastifyReply {
  return reply.type('text/html; charset=utf-8').header('content-security-policy', POLICY);
}

// Swagger UI sets style attributes from its scripts; its scripts are files.
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
