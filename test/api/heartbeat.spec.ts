import { startLeased, stored } from './leasing.js';
import { closeApis, STORES } from './support.js';

afterEach(closeApis);

describe.each(STORES)('over %s', (store) => {
  describe('a heartbeat', () => {
    test('extends the lease, and keeps progress and lines', async () => {
      const { http, queue, tokens } = await startLeased(store, ['1']);
      const { body } = await http
        .post('/v1/tasks/q~1/heartbeat')
        .send({ leaseToken: tokens[0], progress: { percent: 40 }, logs: ['a', 'b'], extend: '1h' })
        .expect(200);
      const task = await stored(queue, '1');
      expect(task).toMatchObject({ state: 'running', progress: '{"percent":40}' });
      expect(task!.leaseExpiresAt! - task!.startedAt!).toBeGreaterThanOrEqual(3_600_000);
      expect(body).toEqual({
        leaseExpiresAt: new Date(task!.leaseExpiresAt!).toISOString(),
        cancelRequested: false,
      });
      expect((await queue.logs('q~1')).map(({ message }) => message)).toEqual(['a', 'b']);
    });

    test('without news leaves the progress as it was, and extends by the standard', async () => {
      const { http, queue, tokens } = await startLeased(store, ['1']);
      const beat = (news: object) =>
        http.post('/v1/tasks/q~1/heartbeat').send({ leaseToken: tokens[0], ...news });
      await beat({ progress: 1, extend: '1h' }).expect(200);
      await beat({}).expect(200);
      const task = await stored(queue, '1');
      expect(task!.progress).toBe('1');
      expect(task!.leaseExpiresAt! - task!.startedAt!).toBeLessThan(3_000_000);
    });

    test('says that somebody wants the task cancelled', async () => {
      const { http, queue, tokens } = await startLeased(store, ['1']);
      await queue.cancel(['q~1']);
      const { body } = await http.post('/v1/tasks/q~1/heartbeat').send({ leaseToken: tokens[0] }).expect(200);
      expect(body.cancelRequested).toBe(true);
    });

    test('of many leases answers for each', async () => {
      const { http, queue, tokens } = await startLeased(store, ['1', '2']);
      const { body } = await http
        .post('/v1/leases/heartbeat')
        .send({
          leases: [
            { id: 'q~1', leaseToken: tokens[0], progress: [1], logs: ['x'] },
            { id: 'q~2', leaseToken: 'other' },
            { id: 'other~3', leaseToken: 'x' },
            { id: 'q~2', leaseToken: tokens[1] },
          ],
          extend: '1h',
        })
        .expect(200);
      expect(body.outcomes).toMatchObject([
        { id: 'q~1', leaseExpiresAt: expect.any(String), cancelRequested: false },
        { id: 'q~2', problem: { code: 'lease-lost', status: 409, taskId: 'q~2' } },
        { id: 'other~3', problem: { code: 'task-not-found', status: 404 } },
        { id: 'q~2', leaseExpiresAt: expect.any(String), cancelRequested: false },
      ]);
      const task = await stored(queue, '1');
      expect(task!.progress).toBe('[1]');
      expect(task!.leaseExpiresAt! - task!.startedAt!).toBeGreaterThanOrEqual(3_600_000);
    });
  });
});
