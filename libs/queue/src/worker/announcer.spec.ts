import { MemoryQueue } from '../memory/memory-queue.js';
import { Announcer } from './announcer.js';
import { NO_LOG } from './meter.js';

test('types are routed once they could be announced, and trouble is said once', async () => {
  const queue = new MemoryQueue();
  const said: string[] = [];
  const say = (_: object, message: string) => void said.push(message);
  let calls = 0;
  await new Promise<void>((resolve) => {
    const announceTypes: MemoryQueue['announceTypes'] = async (routes) => {
      if (++calls <= 2) throw new Error('away');
      await queue.announceTypes(routes);
      void announcer.stop().then(resolve);
    };
    const log = { ...NO_LOG, warn: say, info: say };
    const announcer = new Announcer({ consumer: { announceTypes }, routes: { mail: 'mails' }, log });
    announcer.start();
  });
  const [outcome] = await queue.enqueue([{ type: 'mail' }]);
  expect(outcome).toMatchObject({ task: { queue: 'mails' } });
  expect(said).toEqual(['cannot go on for now; will keep trying', 'works again']);
});
