import fc from 'fast-check';
import { closeApis, countStored, startApi } from './support.js';

afterEach(closeApis);

/** What is wrong with each, and where the answer must point. */
const faulty: readonly (readonly [string, unknown, readonly string[]])[] = [
  ['no type', {}, ['/type']],
  ['an unknown field', { type: 'a', tpye: 'b' }, ['/tpye']],
  [
    'fields that only the engine sets',
    { type: 'a', state: 'completed', attempt: 3, result: 1, createdAt: 0, leaseToken: 'x' },
    ['/state', '/attempt', '/result', '/createdAt', '/leaseToken'],
  ],
  ['a name with slashes and tildes as field', { type: 'a', 'x/y~z': 1 }, ['/x~1y~0z']],
  ['a type that is a number', { type: 7 }, ['/type']],
  ['a type with spaces', { type: 'a b' }, ['/type']],
  ['a type that is too long', { type: 'a'.repeat(65) }, ['/type']],
  ['a type with a newline at its end', { type: 'a\n' }, ['/type']],
  ['null where a name belongs', { type: 'a', queue: null }, ['/queue']],
  ['a queue with a tilde', { type: 'a', queue: 'a~b' }, ['/queue']],
  ['a queue with braces', { type: 'a', queue: '{x}' }, ['/queue']],
  ['an id with a space', { type: 'a', id: 'x y' }, ['/id']],
  ['an empty tenant', { type: 'a', tenant: '' }, ['/tenant']],
  ['a tenant with an umlaut', { type: 'a', tenant: 'ü' }, ['/tenant']],
  ['priority 0', { type: 'a', priority: 0 }, ['/priority']],
  ['priority 7', { type: 'a', priority: 7 }, ['/priority']],
  ['priority 2.5', { type: 'a', priority: 2.5 }, ['/priority']],
  ['a priority of another name', { type: 'a', priority: 'urgent' }, ['/priority']],
  ['a priority named like a method', { type: 'a', priority: 'toString' }, ['/priority']],
  ['a delay without unit', { type: 'a', delay: '30' }, ['/delay']],
  ['a delay of the past', { type: 'a', delay: -1 }, ['/delay']],
  ['a delay of two years', { type: 'a', delay: '730d' }, ['/delay']],
  ['a delay in weeks', { type: 'a', delay: '1w' }, ['/delay']],
  ['a ttl of nothing', { type: 'a', ttl: 0 }, ['/ttl']],
  ['a timeout of half a ms', { type: 'a', timeout: 0.5 }, ['/timeout']],
  ['delay and runAt together', { type: 'a', delay: 1, runAt: '2026-01-01T00:00:00Z' }, ['/runAt']],
  ['a time before 1970', { type: 'a', runAt: '0001-01-01T00:00:00Z' }, ['/runAt']],
  ['a time after 9999', { type: 'a', runAt: '9999-12-31T23:59:59-14:00' }, ['/runAt']],
  ['30 February', { type: 'a', runAt: '2026-02-30T00:00:00Z' }, ['/runAt']],
  ['a time without zone', { type: 'a', runAt: '2026-01-01T00:00:00' }, ['/runAt']],
  ['a time as number', { type: 'a', runAt: 1_767_225_600_000 }, ['/runAt']],
  ['a retry that is a list', { type: 'a', retry: [] }, ['/retry']],
  ['a retry that is a word', { type: 'a', retry: 'twice' }, ['/retry']],
  ['an unknown field of retry', { type: 'a', retry: { max: 3 } }, ['/retry/max']],
  [
    'every field of retry',
    { type: 'a', retry: { maxAttempts: 0, backoff: 'slow', delay: '1y', maxDelay: -1, jitter: 'some' } },
    ['/retry/maxAttempts', '/retry/backoff', '/retry/delay', '/retry/maxDelay', '/retry/jitter'],
  ],
  [
    'one delay of a list',
    { type: 'a', retry: { backoff: ['1s', 'x', 3, null] } },
    ['/retry/backoff/1', '/retry/backoff/3'],
  ],
  ['an empty list of delays', { type: 'a', retry: { backoff: [] } }, ['/retry/backoff']],
  ['an ordering key with a space', { type: 'a', orderingKey: 'x y' }, ['/orderingKey']],
  ['tags that are a word', { type: 'a', tags: 'x' }, ['/tags']],
  ['one tag of several', { type: 'a', tags: ['ok', '', 5] }, ['/tags/1', '/tags/2']],
  ['seventeen tags', { type: 'a', tags: Array.from({ length: 17 }, (_, n) => `t${n}`) }, ['/tags']],
  ['metadata that is a list', { type: 'a', metadata: ['x'] }, ['/metadata']],
  ['metadata with a number', { type: 'a', metadata: { a: 1, b: 'ok' } }, ['/metadata/a']],
  ['metadata with a bad key', { type: 'a', metadata: { 'a/b': 'x' } }, ['/metadata/a~1b']],
  ['metadata that is too long', { type: 'a', metadata: { a: 'x'.repeat(513) } }, ['/metadata/a']],
  ['a list instead of a task', [{ type: 'a' }], ['']],
  ['a number instead of a task', 5, ['']],
  ['several faults at once', { queue: '', priority: 9, zap: 1 }, ['/type', '/queue', '/priority', '/zap']],
];

describe('a submission that is not valid', () => {
  test.each(faulty)('with %s is refused at the place, and nothing is stored', async (_, body, pointers) => {
    const { http, queue } = await startApi();
    const answer = await http
      .post('/v1/tasks')
      .send(body as object)
      .set('content-type', 'application/json')
      .expect(422);
    expect(answer.headers['content-type']).toContain('application/problem+json');
    expect(answer.body).toMatchObject({
      type: 'urn:fairlane:problem:invalid-request',
      status: 422,
      requestId: answer.headers['x-request-id'],
    });
    const errors = answer.body.errors as { pointer: string; detail: string }[];
    expect(errors.map(({ pointer }) => pointer).sort()).toEqual([...pointers].sort());
    expect(await countStored(queue)).toBe(0);
  });

  test('says of unknown fields that they are unknown', async () => {
    const { http } = await startApi();
    const { body } = await http.post('/v1/tasks').send({ type: 'a', tpye: 1 }).expect(422);
    expect(body).toMatchObject({
      detail: 'tpye is not a known field.',
      errors: [{ pointer: '/tpye', detail: 'is not a known field' }],
    });
  });
});

describe('a body that cannot be read', () => {
  const unreadable: readonly (readonly [string, string | Buffer])[] = [
    ['broken JSON', '{"type":"a"'],
    ['nothing', ''],
    ['two values', '{"type":"a"}{}'],
    ['__proto__', '{"type":"a","__proto__":{"x":1}}'],
    ['an escaped __proto__', '{"type":"a","\\u005f_proto__":{"x":1}}'],
    ['a nested __proto__', '{"type":"a","payload":[{"a":{"__proto__":{"x":1}}}]}'],
    ['constructor.prototype', '{"type":"a","payload":{"constructor":{"prototype":{"x":1}}}}'],
    [
      'an escaped constructor.prototype',
      '{"type":"a","payload":{"\\u0063onstructor":{"\\u0070rototype":{}}}}',
    ],
    ['65 levels', `{"type":"a","payload":${'['.repeat(64)}${']'.repeat(64)}}`],
    ['half a million levels', `{"type":"a","payload":${'['.repeat(500_000)}${']'.repeat(500_000)}}`],
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0x22, 0x74, 0x22, 0x3a, 0x22, 0xff, 0xfe, 0x22, 0x7d])],
    ['an integer beyond 2^53', '{"type":"a","payload":12345678901234567890}'],
    ['a number beyond all', '{"type":"a","payload":[1e999]}'],
  ];

  test.each(unreadable)('because of %s is refused with 400, and nothing is stored', async (_, text) => {
    const { url, queue } = await startApi();
    const response = await fetch(`${url}/v1/tasks`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: text,
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: 'malformed-body', detail: expect.any(String) });
    expect(await countStored(queue)).toBe(0);
    expect(({} as { x?: unknown }).x).toBeUndefined();
  });

  test('64 levels, a key named constructor and the largest exact integer are taken', async () => {
    const { http } = await startApi();
    const body = `{"type":"a","payload":{"constructor":"x","n":-9007199254740991,"f":0.1234567890123456789,"d":${'['.repeat(62)}${']'.repeat(62)}}}`;
    await http.post('/v1/tasks').type('application/json').send(body).expect(202);
  });
});

describe('a body of another kind', () => {
  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/merge-patch+json',
    'application/x-ndjson',
    'application/json, text/plain',
    'junk',
  ])('%s is refused with 415', async (type) => {
    const { url, queue } = await startApi();
    const response = await fetch(`${url}/v1/tasks`, {
      method: 'POST',
      headers: { 'content-type': type },
      body: '{"type":"a"}',
    });
    expect(response.status).toBe(415);
    expect(((await response.json()) as { code: string }).code).toBe('unsupported-media-type');
    expect(await countStored(queue)).toBe(0);
  });

  test('a body without content type is refused with 415', async () => {
    const { url, queue } = await startApi();
    const response = await fetch(`${url}/v1/tasks`, { method: 'POST', body: new Blob(['{"type":"a"}']) });
    expect(response.status).toBe(415);
    expect(await countStored(queue)).toBe(0);
  });

  test('a compressed body is refused with 415', async () => {
    const { http } = await startApi();
    await http.post('/v1/tasks').set('content-encoding', 'gzip').send({ type: 'a' }).expect(415);
  });

  test('JSON with a charset is taken', async () => {
    const { http } = await startApi();
    await http.post('/v1/tasks').type('application/json; charset=utf-8').send('{"type":"a"}').expect(202);
  });
});

describe('a body that is too large', () => {
  const tooLarge = JSON.stringify({ type: 'a', payload: 'x'.repeat(1_048_576 + 65_536) });

  test('is refused with 413 by its length', async () => {
    const { http, queue } = await startApi();
    const { body } = await http.post('/v1/tasks').type('application/json').send(tooLarge).expect(413);
    expect(body.code).toBe('payload-too-large');
    expect(await countStored(queue)).toBe(0);
  });

  test('is refused with 413 without a length', async () => {
    const { url, queue } = await startApi();
    const body = new Blob([tooLarge]).stream();
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body, duplex: 'half' };
    const status = await fetch(`${url}/v1/tasks`, init as RequestInit).then((response) => response.status);
    expect(status).toBe(413);
    expect(await countStored(queue)).toBe(0);
  });

  test('is refused with 413 where only the payload is, which the answer names', async () => {
    const { http, queue } = await startApi();
    const { body } = await http
      .post('/v1/tasks')
      .send({ type: 'a', payload: 'x'.repeat(1_048_577) })
      .expect(413);
    expect(body.errors).toEqual([{ pointer: '/payload', detail: expect.stringContaining('1048576') }]);
    expect(await countStored(queue)).toBe(0);
  });
});

describe('any body at all', () => {
  const valid = {
    type: 'a',
    queue: 'q',
    priority: 3,
    delay: '1s',
    retry: { backoff: ['1s'] },
    tags: ['x'],
    metadata: { a: 'b' },
  };

  test('is taken whole or refused with 4xx and not stored', async () => {
    const { http, queue } = await startApi();
    let stored = 0;
    const key = fc.oneof(
      fc.constantFrom(
        ...Object.keys(valid),
        'payload',
        'runAt',
        'ttl',
        'timeout',
        'tenant',
        'id',
        '__proto__',
        'constructor',
        'then',
        'toString',
        'hasOwnProperty',
      ),
      fc.string(),
    );
    const changed = fc.array(fc.tuple(key, fc.jsonValue()), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(changed, async (changes) => {
        const members = [...Object.entries(valid), ...changes].map(
          ([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`,
        );
        const answer = await http
          .post('/v1/tasks')
          .type('application/json')
          .send(`{${members.join(',')}}`);
        if (answer.status === 202) stored += answer.headers['idempotent-replayed'] ? 0 : 1;
        else expect([400, 409, 413, 422]).toContain(answer.status);
        expect(await countStored(queue)).toBe(stored);
      }),
      { numRuns: 300 },
    );
  }, 60_000);

  test('is never answered with 500, however it is cut or bent', async () => {
    const { http } = await startApi();
    const text = JSON.stringify(valid);
    const bent = fc
      .tuple(fc.nat(text.length), fc.nat(6), fc.string({ maxLength: 4 }))
      .map(([at, cut, put]) => text.slice(0, at) + put + text.slice(at + cut));
    await fc.assert(
      fc.asyncProperty(bent, async (body) => {
        const answer = await http.post('/v1/tasks').type('application/json').send(body);
        expect([202, 400, 409, 422]).toContain(answer.status);
      }),
      { numRuns: 300 },
    );
  }, 60_000);
});
