import { ALL_CAPABILITIES, createQueue } from '@app/queue';
import { VERSION } from '@app/runtime';
import { closeApis, startApi } from './support.js';

afterEach(closeApis);

test('the service says its version and what each of its backends can do', async () => {
  const { queue, backends } = await createQueue({
    main: 'memory',
    others: [{ name: 'bullmq', queues: ['legacy-*', 'mail'] }],
    options: { address: {} },
  });
  const { http } = await startApi(queue, {}, { backends });
  const { body } = await http.get('/v1/info').expect(200);
  expect(body).toEqual({
    version: VERSION,
    backend: { name: 'memory', capabilities: [...ALL_CAPABILITIES] },
    otherBackends: [
      { name: 'bullmq', queues: ['legacy-*', 'mail'], capabilities: [...queue.capabilities('mail')] },
    ],
  });
  expect(VERSION).toMatch(/^\d+\.\d+\.\d+/);
  expect(body.otherBackends[0].capabilities).not.toContain('tenants');
});

test('an API that was given any queue says so', async () => {
  const { http } = await startApi();
  const { body } = await http.get('/v1/info').expect(200);
  expect(body).toMatchObject({ backend: { name: 'custom' }, otherBackends: [] });
});
