import { pointersOf, REQUEST_ID, stored, submit } from './leasing.js';
import { closeApis, startApi } from './support.js';

afterEach(closeApis);

describe('a request that is not valid', () => {
  const big = 'x'.repeat(1_048_576);

  test.each<[string, object, string[]]>([
    ['no worker', {}, ['/workerId']],
    ['an unknown field', { workerId: 'w', queue: 'q' }, ['/queue']],
    [
      'every field wrong',
      {
        workerId: 'a b',
        max: -1,
        leaseDuration: '500ms',
        wait: '61s',
        requestId: 'short',
        tenants: ['ü'],
        steal: 'no',
      },
      ['/leaseDuration', '/max', '/requestId', '/steal', '/tenants/0', '/wait', '/workerId'],
    ],
    ['too many', { workerId: 'w', max: 1_001 }, ['/max']],
    ['a lease of a day', { workerId: 'w', leaseDuration: '24h' }, ['/leaseDuration']],
    ['a bad name among those to steal from', { workerId: 'w', steal: ['a', ''] }, ['/steal/1']],
    ['nobody to serve', { workerId: 'w', steal: false }, ['/steal']],
    ['an empty list of those to serve', { workerId: 'w', steal: [] }, ['/steal']],
  ])('a lease with %s is refused, and nothing is taken', async (_, body, pointers) => {
    const { http, queue } = await startApi();
    await submit(queue, '1');
    const answer = await http.post('/v1/queues/q/lease').send(body).expect(422);
    expect(answer.body.code).toBe('invalid-request');
    expect(pointersOf(answer.body)).toEqual(pointers);
    expect(await stored(queue, '1')).toMatchObject({ state: 'pending' });
  });

  test('a lease of a queue that cannot be is refused', async () => {
    const { http } = await startApi();
    const { body } = await http.post('/v1/queues/q~1/lease').send({ workerId: 'w' }).expect(422);
    expect(pointersOf(body)).toEqual(['/queue']);
  });

  const leaseToken = `${REQUEST_ID}.0`;

  test.each<[string, string, object, string[]]>([
    ['complete', 'no token', {}, ['/leaseToken']],
    ['complete', 'an empty token', { leaseToken: '' }, ['/leaseToken']],
    ['complete', 'a field of fail', { leaseToken, error: { message: 'x' } }, ['/error']],
    ['complete', 'lines that are none', { leaseToken, logs: ['a', 1] }, ['/logs/1']],
    ['fail', 'no error', { leaseToken }, ['/error']],
    ['fail', 'an error without message', { leaseToken, error: { code: 'x' } }, ['/error/message']],
    ['fail', 'an error that is text', { leaseToken, error: 'x' }, ['/error']],
    [
      'fail',
      'every field wrong',
      { leaseToken: 1, error: { message: 1, code: 2, stack: '' }, retryable: 'no', retryIn: '31d', logs: '' },
      ['/error/code', '/error/message', '/error/stack', '/leaseToken', '/logs', '/retryIn', '/retryable'],
    ],
    ['release', 'a time too long', { leaseToken, retryAfter: '2h' }, ['/retryAfter']],
    ['heartbeat', 'no token', { extend: '30s' }, ['/leaseToken']],
    ['heartbeat', 'too long a lease', { leaseToken, extend: '13h' }, ['/extend']],
  ])('%s with %s is refused, and nothing changes', async (action, _, body, pointers) => {
    const { http, queue } = await startApi();
    await submit(queue, '1');
    await queue.lease({ queue: 'q', workerId: 'w', max: 1, leaseMs: 30_000, requestId: REQUEST_ID });
    const answer = await http.post(`/v1/tasks/q~1/${action}`).send(body).expect(422);
    expect(pointersOf(answer.body)).toEqual(pointers);
    expect(await stored(queue, '1')).toMatchObject({ state: 'running', attempt: 1 });
  });

  test.each<[string, string, object, string]>([
    ['a result', '/v1/tasks/q~1/complete', { leaseToken, result: big }, '/result'],
    ['progress', '/v1/tasks/q~1/heartbeat', { leaseToken, progress: 'x'.repeat(16_384) }, '/progress'],
    [
      'a result among many',
      '/v1/leases/settle',
      {
        settlements: [
          { id: 'q~1', leaseToken, action: 'complete' },
          { id: 'q~2', leaseToken, action: 'complete', result: big },
        ],
      },
      '/settlements/1/result',
    ],
    [
      'progress among many',
      '/v1/leases/heartbeat',
      { leases: [{ id: 'q~1', leaseToken, progress: 'x'.repeat(16_384) }] },
      '/leases/0/progress',
    ],
  ])('%s that is too long is refused, and nothing changes', async (_, path, body, pointer) => {
    const { http, queue } = await startApi();
    await submit(queue, '1');
    await queue.lease({ queue: 'q', workerId: 'w', max: 1, leaseMs: 30_000, requestId: REQUEST_ID });
    const answer = await http.post(path).send(body).expect(413);
    expect(answer.body.code).toBe('payload-too-large');
    expect(pointersOf(answer.body)).toEqual([pointer]);
    expect(await stored(queue, '1')).toMatchObject({ state: 'running' });
    expect((await stored(queue, '1'))?.progress).toBeUndefined();
  });

  const end = { id: 'q~1', leaseToken, action: 'complete' };

  test.each<[string, object, string[]]>([
    ['nothing to settle', { settlements: [] }, ['/settlements']],
    ['too much to settle', { settlements: Array.from({ length: 1_001 }, () => end) }, ['/settlements']],
    ['something that is no settlement', { settlements: [end, 5] }, ['/settlements/1']],
    [
      'fields of other actions',
      {
        settlements: [
          { ...end, error: { message: 'x' }, retryable: true, retryIn: 1, retryAfter: 1 },
          { ...end, action: 'fail', result: 1 },
          { ...end, action: 'stop' },
          { ...end, id: 'x' },
        ],
      },
      [
        '/settlements/0/error',
        '/settlements/0/retryAfter',
        '/settlements/0/retryIn',
        '/settlements/0/retryable',
        '/settlements/1/error',
        '/settlements/1/result',
        '/settlements/2/action',
        '/settlements/3/id',
      ],
    ],
    ['no queue to go on with', { settlements: [end], next: { workerId: 'w' } }, ['/next/queue']],
    ['a wait', { settlements: [end], next: { queue: 'q', workerId: 'w', wait: '1s' } }, ['/next/wait']],
    [
      'nobody to serve next',
      { settlements: [end], next: { queue: 'q', workerId: 'w', steal: false } },
      ['/next/steal'],
    ],
  ])('settling many with %s is refused, and nothing is settled', async (_, body, pointers) => {
    const { http, queue } = await startApi();
    await submit(queue, '1');
    await queue.lease({ queue: 'q', workerId: 'w', max: 1, leaseMs: 30_000, requestId: REQUEST_ID });
    const answer = await http.post('/v1/leases/settle').send(body).expect(422);
    expect(pointersOf(answer.body)).toEqual(pointers);
    expect(await stored(queue, '1')).toMatchObject({ state: 'running' });
  });

  test.each<[string, object, string[]]>([
    ['no leases', {}, ['/leases']],
    [
      'something that is no lease',
      { leases: [{ id: 'q~1', leaseToken }, {}] },
      ['/leases/1/id', '/leases/1/leaseToken'],
    ],
    ['too short a lease', { leases: [{ id: 'q~1', leaseToken }], extend: 10 }, ['/extend']],
  ])('a heartbeat of many with %s is refused', async (_, body, pointers) => {
    const { http } = await startApi();
    const answer = await http.post('/v1/leases/heartbeat').send(body).expect(422);
    expect(pointersOf(answer.body)).toEqual(pointers);
  });
});
