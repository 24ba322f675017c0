import { request } from 'node:http';
import { closeApis, countStored, startApi } from './support.js';

afterEach(closeApis);

const NDJSON = 'application/x-ndjson';

/** As far as it is looked at here. */
interface Outcome {
  status: string;
  task?: object;
  problem?: { code: string };
}

const linesOf = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Outcome & { line: number });

describe('an atomic batch', () => {
  test('stores all its tasks', async () => {
    const { http, queue } = await startApi();
    const tasks = Array.from({ length: 1_000 }, (_, n) => ({ type: 'a', payload: n }));
    const { body } = await http.post('/v1/tasks/batch').send({ tasks }).expect(202);
    expect(body).toMatchObject({ accepted: 1_000, replayed: 0, refused: 0 });
    expect(body.items[999]).toMatchObject({ status: 'accepted', task: { state: 'pending' } });
    expect(body.items[999].task).not.toHaveProperty('payload');
    expect(await countStored(queue)).toBe(1_000);
  });

  test.each<[string, unknown, number, string[]]>([
    [
      'an invalid task',
      { tasks: [{ type: 'a' }, { type: '', retry: { x: 1 } }, 5] },
      422,
      ['/tasks/1/retry/x', '/tasks/1/type', '/tasks/2'],
    ],
    ['no tasks', { tasks: [] }, 422, ['/tasks']],
    ['too many tasks', { tasks: Array.from({ length: 1_001 }, () => ({ type: 'a' })) }, 422, ['/tasks']],
    ['tasks that are no list', { tasks: { type: 'a' } }, 422, ['/tasks']],
    ['an unknown field', { tasks: [{ type: 'a' }], mode: 1 }, 422, ['/mode']],
    ['atomic as a word', { tasks: [{ type: 'a' }], atomic: 'no' }, 422, ['/atomic']],
    [
      'a payload that is too long',
      { tasks: [{ type: 'a' }, { type: 'a', payload: 'x'.repeat(1_048_576) }] },
      413,
      ['/tasks/1/payload'],
    ],
  ])('with %s is refused, and nothing is stored', async (_, batch, status, pointers) => {
    const { http, queue } = await startApi();
    const { body } = await http
      .post('/v1/tasks/batch')
      .send(batch as object)
      .expect(status);
    expect(body.errors.map(({ pointer }: { pointer: string }) => pointer).sort()).toEqual(pointers);
    expect(await countStored(queue)).toBe(0);
  });

  test('over several queues is refused with what to do instead', async () => {
    const { http, queue } = await startApi();
    const { body } = await http
      .post('/v1/tasks/batch')
      .send({
        tasks: [
          { type: 'a', queue: 'x' },
          { type: 'a', queue: 'y' },
        ],
      })
      .expect(422);
    expect(body).toMatchObject({
      code: 'batch-spans-queues',
      title: expect.stringContaining('one batch for each'),
    });
    expect(await countStored(queue)).toBe(0);
  });

  test('of which one task is refused stores none and names it', async () => {
    const { http, queue } = await startApi();
    await http.post('/v1/tasks').send({ type: 'a', id: 'one' }).expect(202);
    const { body } = await http
      .post('/v1/tasks/batch')
      .send({
        tasks: [
          { type: 'a', id: 'two' },
          { type: 'b', id: 'one' },
        ],
      })
      .expect(409);
    expect(body).toMatchObject({
      code: 'id-conflict',
      errors: [{ pointer: '/tasks/1', code: 'id-conflict' }],
    });
    expect(await countStored(queue)).toBe(1);
  });

  test('with an Idempotency-Key is replayed as a whole', async () => {
    const { http, queue } = await startApi();
    const post = (tasks: object[]) =>
      http.post('/v1/tasks/batch').set('Idempotency-Key', '"nightly"').send({ tasks });
    const first = await post([{ type: 'a' }, { type: 'b' }]).expect(202);
    const second = await post([{ type: 'a' }, { type: 'b' }]).expect(202);
    expect(second.body).toMatchObject({ accepted: 0, replayed: 2 });
    expect(second.headers['idempotent-replayed']).toBe('true');
    expect(second.body.items.map((item: Outcome) => item.task)).toEqual(
      first.body.items.map((item: Outcome) => item.task),
    );
    await post([{ type: 'a' }, { type: 'c' }]).expect(422);
    expect(await countStored(queue)).toBe(2);
  });

  test('may be larger than a single task', async () => {
    const { http } = await startApi();
    const tasks = Array.from({ length: 4 }, () => ({ type: 'a', payload: 'x'.repeat(1_000_000) }));
    await http.post('/v1/tasks/batch').send({ tasks }).expect(202);
    const large = {
      tasks: Array.from({ length: 17 }, () => ({ type: 'a', payload: 'x'.repeat(1_000_000) })),
    };
    await http.post('/v1/tasks/batch').send(large).expect(413);
  });
});

describe('a batch with atomic: false', () => {
  test('stores what it can, of any queue, and says what became of each', async () => {
    const { http, queue } = await startApi();
    await http.post('/v1/tasks').send({ type: 'a', id: 'one' }).expect(202);
    const tasks = [
      { type: 'a', id: 'one' },
      { type: 'b', id: 'one' },
      { type: '' },
      { type: 'a', queue: 'other' },
    ];
    const { body } = await http.post('/v1/tasks/batch').send({ tasks, atomic: false }).expect(202);
    expect(body).toMatchObject({
      accepted: 1,
      replayed: 1,
      refused: 2,
      items: [
        { status: 'replayed', task: { id: 'default~one' } },
        { status: 'refused', problem: { code: 'id-conflict', status: 409 } },
        { status: 'refused', problem: { code: 'invalid-request', errors: [{ pointer: '/type' }] } },
        { status: 'accepted', task: { queue: 'other' } },
      ],
    });
    expect(await countStored(queue)).toBe(2);
  });

  test('of which nothing can be stored is a problem with all of theirs', async () => {
    const { http, queue } = await startApi();
    const { body } = await http
      .post('/v1/tasks/batch')
      .send({ tasks: [{ type: '' }, 3], atomic: false })
      .expect(422);
    expect(body).toMatchObject({
      code: 'invalid-request',
      errors: [{ pointer: '/tasks/0/type' }, { pointer: '/tasks/1' }],
    });
    expect(await countStored(queue)).toBe(0);
  });
});

describe('a streamed batch', () => {
  test('answers a line for each line, in order, and goes on after broken ones', async () => {
    const { http, queue } = await startApi();
    const lines = [
      '{"type":"a"}',
      '{"type":',
      '',
      '{"type":"b","x":1}',
      `{"type":"c","payload":"${'x'.repeat(1_200_000)}"}`,
      '  \r',
      '{"type":"ü"}',
      '{"__proto__":1}',
      '{"type":"d","queue":"q"}',
    ];
    const { text } = await http
      .post('/v1/tasks/batch')
      .type(NDJSON)
      .send(lines.join('\n'))
      .buffer()
      .expect(202)
      .expect('content-type', NDJSON);
    expect(linesOf(text).map(({ line, status, problem }) => [line, status, problem?.code])).toEqual([
      [1, 'accepted', undefined],
      [2, 'refused', 'malformed-body'],
      [4, 'refused', 'invalid-request'],
      [5, 'refused', 'payload-too-large'],
      [7, 'refused', 'invalid-request'],
      [8, 'refused', 'malformed-body'],
      [9, 'accepted', undefined],
    ]);
    expect(await countStored(queue)).toBe(2);
  });

  test('answers a line before the next one is sent', async () => {
    const { port } = await startApi();
    const sending = request({
      port,
      method: 'POST',
      path: '/v1/tasks/batch',
      headers: { 'content-type': NDJSON },
    });
    const received: string[] = [];
    const ended = new Promise<void>((resolve) => {
      sending.on('response', (response) => {
        response
          .setEncoding('utf8')
          .on('end', resolve)
          .on('data', (text: string) => {
            received.push(text);
            // Only an answer makes the next line go out.
            if (received.length < 3) sending.write(`{"type":"t${received.length}"}\n`);
            else sending.end();
          });
      });
    });
    sending.write('{"type":"t0"}\n');
    await ended;
    expect(received.map((text) => JSON.parse(text).task.type)).toEqual(['t0', 't1', 't2']);
  });

  test('takes more tasks than a batch may have, and replays them by its key', async () => {
    const { http, queue } = await startApi();
    const text = Array.from({ length: 5_000 }, (_, n) => `{"type":"a","payload":${n}}\n`).join('');
    const post = () =>
      http
        .post('/v1/tasks/batch')
        .type(NDJSON)
        .set('Idempotency-Key', 'load')
        .send(text)
        .buffer()
        .expect(202);
    const first = linesOf((await post()).text);
    expect(first).toHaveLength(5_000);
    expect(new Set(linesOf((await post()).text).map(({ status }) => status))).toEqual(new Set(['replayed']));
    expect(await countStored(queue)).toBe(5_000);
  }, 30_000);
});
