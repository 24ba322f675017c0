import { afterEach, expect, test } from '@jest/globals';
import { ended, post, type TaskBody } from '../support/client.js';
import { killLeftovers, startApi, startWorker } from '../support/processes.js';

afterEach(killLeftovers);

/** Where nothing listens. */
const NOWHERE = 'redis://127.0.0.1:1';

test('an API on memory needs no Redis: workers ask it over HTTP, and it does the chores', async () => {
  const api = await startApi(NOWHERE, { FAIRLANE_BACKEND: 'memory' });
  const submitted = await post<TaskBody>(`${api.url}/v1/tasks`, { type: 'a', delay: '100ms' });
  const leased = await post<{ items: { leaseToken: string }[] }>(`${api.url}/v1/queues/default/lease`, {
    workerId: 'w',
    wait: '10s',
  });
  const { id } = submitted.body;
  const { leaseToken } = leased.body.items[0]!;
  await post(`${api.url}/v1/tasks/${id}/complete`, { leaseToken, result: 42 });
  expect(await ended(api.url, id)).toMatchObject({ state: 'completed', result: 42 });
  expect(await api.stop()).toMatchObject({ code: 0 });
});

test('a worker of another process refuses to begin on memory', async () => {
  await expect(startWorker(NOWHERE, { FAIRLANE_BACKEND: 'memory' })).rejects.toThrow(
    /ended with 78:\n.*FAIRLANE_BACKEND=memory: only the API itself has that memory/s,
  );
});
