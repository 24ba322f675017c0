import { PUBLIC_ROUTES } from '../../apps/api/src/http/auth.js';
import { RouteTable } from '../../apps/api/src/http/route-table.js';
import { closeApis, countStored, startApi } from './support.js';

afterEach(closeApis);

const apiKeys = ['0123456789abcdef', 'another-key-of-mine'];

/** Every route of the application, with something in the place of each parameter. */
const routesOf = ({ app }: Awaited<ReturnType<typeof startApi>>) =>
  app
    .get(RouteTable)
    .list()
    .map((route) => {
      const [method = '', pattern = ''] = route.split(' ');
      return { method, pattern, path: pattern.replace(/:\w+/g, 'emails~x') };
    });

test.each<[string, string | undefined]>([
  ['no key', undefined],
  ['an empty one', 'Bearer '],
  ['another scheme', `Basic ${apiKeys[0]}`],
  ['a key without scheme', apiKeys[0]],
  ['a wrong key', 'Bearer 0123456789abcdeX'],
  ['the beginning of a key', 'Bearer 0123456789abcde'],
  ['a key and more', 'Bearer 0123456789abcdef0'],
  ['both keys', `Bearer ${apiKeys.join(',')}`],
])('with %s every route but the public ones answers 401, and nothing is stored', async (_, authorization) => {
  const api = await startApi(undefined, { apiKeys });
  const routes = routesOf(api);
  expect(routes.length).toBeGreaterThan(15);
  for (const { method, pattern, path } of routes) {
    const response = await fetch(api.url + path, {
      method,
      headers: { 'content-type': 'application/json', ...(authorization !== undefined && { authorization }) },
      body: method === 'POST' ? '{"type":"a"}' : undefined,
    });
    const text = await response.text();
    if (PUBLIC_ROUTES.has(pattern)) {
      expect([path, response.status]).not.toEqual([path, 401]);
      continue;
    }
    expect([method, path, response.status]).toEqual([method, path, 401]);
    expect(response.headers.get('www-authenticate')).toMatch(/^Bearer/);
    if (method !== 'HEAD') expect(JSON.parse(text)).toMatchObject({ code: 'unauthorized', status: 401 });
  }
  expect(await countStored(api.queue)).toBe(0);
});

test('a route that does not exist is not told from one that does without a key', async () => {
  const { http } = await startApi(undefined, { apiKeys });
  await http.get('/nope').expect(401);
  await http.delete('/v1/tasks').expect(401);
  await http.get('/nope').set('authorization', `Bearer ${apiKeys[0]}`).expect(404);
});

test.each(apiKeys)('with the key %s requests are served, whatever the case of the scheme', async (key) => {
  const { http } = await startApi(undefined, { apiKeys });
  await http.post('/v1/tasks').set('authorization', `Bearer ${key}`).send({ type: 'a' }).expect(202);
  await http.get('/v1/tasks').set('authorization', `bearer  ${key}`).expect(200);
});

test('a body is not read before the key is known to be right', async () => {
  const { http } = await startApi(undefined, { apiKeys });
  await http.post('/v1/tasks').type('application/json').send('{broken').expect(401);
});

test('without any key configured nobody needs one', async () => {
  const { http } = await startApi();
  await http.get('/v1/tasks').expect(200);
});
